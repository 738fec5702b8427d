// SPDX-License-Identifier: Apache-2.0

// Real servers for the tests, as throw-away instances on free ports of 127.0.0.1.
//
//   node scripts/services.mjs install                                   gets what they need; done already, it costs nothing
//   node scripts/services.mjs run [--require] [--only a,b] -- COMMAND   starts them, runs the command, stops them
//   node scripts/services.mjs list                                      says what can run here
//
// The command learns of them by ASHERAH_TEST_* variables (test/support/services.js) and its exit code is passed on.
// What is missing is said and left out; with --require, or ASHERAH_TEST_REQUIRE=1, it is an error, and so is a test that is skipped for want of it.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from './services/certificates.mjs';
import { install } from './services/install.mjs';
import { passable, SERVICES } from './services/servers.mjs';

const HOW = '`node scripts/services.mjs install` gets it';
const USAGE =
  'usage: node scripts/services.mjs install | list | run [--require] [--only NAME,…] -- COMMAND [ARGUMENT…]';

const say = (line) => console.error(`services: ${line}`);

function quit(...lines) {
  for (const line of lines) say(line);
  process.exit(2);
}

/** No account, profile or region of this machine, and never a question to the metadata service of a cloud machine. */
function awsEnvironment(folder) {
  const empty = (name) => {
    writeFileSync(join(folder, name), '');
    return join(folder, name);
  };
  return {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: empty('aws-config'),
    AWS_SHARED_CREDENTIALS_FILE: empty('aws-credentials'),
    AWS_ACCESS_KEY_ID: 'test', // DynamoDB Local wants letters and digits alone
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'us-west-2',
  };
}

/** Everything else that an AWS SDK reads: a test sets what it wants to see. */
function withoutAws(environment) {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('AWS_')));
}

/** Runs the command with our terminal. @returns {Promise<number>} its exit code */
function command(args, env) {
  return new Promise((done) => {
    const child = spawn(args[0], args.slice(1), { env, stdio: 'inherit' });
    const forward = (signal) => child.kill(signal);
    for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, forward);
    child.once('error', (error) => {
      say(`${args[0]}: ${error.message}`);
      done(127);
    });
    child.once('exit', (code, signal) => done(code ?? 128 + constants.signals[signal]));
  });
}

async function run({ names, require, args }) {
  const began = Date.now();
  const missing = names.filter((name) => !SERVICES[name].present());
  for (const name of missing) say(`missing: ${SERVICES[name].what}; ${HOW}`);
  if (missing.length && require) return 2;

  const folder = mkdtempSync(join(tmpdir(), 'asherah-services-'));
  passable(folder);
  const cancelled = new AbortController();
  const interrupt = () => cancelled.abort(); // the command gets Ctrl-C from the terminal itself
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt);
  const running = [];
  try {
    const environment = awsEnvironment(folder);
    let certificates;
    const context = {
      folder,
      environment,
      cancel: cancelled.signal,
      certificates() {
        if (!certificates) {
          mkdirSync(join(folder, 'ca'));
          certificates = makeCertificates(join(folder, 'ca'));
          environment.ASHERAH_TEST_CA = certificates.ca;
        }
        return certificates;
      },
    };
    const starts = names
      .filter((name) => !missing.includes(name))
      .map(async (name) => {
        const service = await SERVICES[name].start(context);
        running.push(service);
        return service;
      });
    const outcomes = await Promise.allSettled(starts);
    if (cancelled.signal.aborted) return 130;
    const failures = outcomes.filter(({ status }) => status === 'rejected');
    for (const { reason } of failures) say(reason.message);
    if (failures.length) return 2; // it is installed and does not start: never a reason to skip tests
    const lists = {};
    for (const { value: service } of outcomes) {
      say(service.line);
      for (const [name, value] of Object.entries(service.environment)) {
        if (Array.isArray(value)) lists[name] = [...(lists[name] ?? []), ...value];
        else environment[name] = value;
      }
    }
    for (const [name, values] of Object.entries(lists)) environment[name] = values.join(',');
    if (require) environment.ASHERAH_TEST_REQUIRE = '1';
    say(`${running.length} of ${names.length} started in ${((Date.now() - began) / 1000).toFixed(1)} s`);
    return await command(args, { ...withoutAws(process.env), ...environment });
  } finally {
    await Promise.all(running.map((service) => service.stop()));
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function parseRun(list) {
  const end = list.indexOf('--');
  const args = end < 0 ? [] : list.slice(end + 1);
  if (args.length === 0) quit(USAGE);
  const options = { names: Object.keys(SERVICES), require: process.env.ASHERAH_TEST_REQUIRE === '1', args };
  for (let i = 0; i < end; i++) {
    if (list[i] === '--require') options.require = true;
    else if (list[i] === '--only' && i + 1 < end) options.names = list[++i].split(',');
    else quit(`unknown option ${list[i]}`, USAGE);
  }
  const unknown = options.names.filter((name) => !Object.hasOwn(SERVICES, name));
  if (unknown.length) quit(`no service ${unknown.join(', ')}; there are ${Object.keys(SERVICES).join(', ')}`);
  return options;
}

const [action, ...rest] = process.argv.slice(2);
if (action === 'run') {
  process.exitCode = await run(parseRun(rest));
} else if (action === 'install' && rest.length === 0) {
  try {
    install(say);
  } catch (error) {
    quit(error.message);
  }
} else if (action === 'list' && rest.length === 0) {
  for (const [name, { what, present }] of Object.entries(SERVICES)) {
    console.log(`${present() ? 'here   ' : 'missing'} ${name}: ${what}`);
  }
} else {
  quit(USAGE);
}
