// SPDX-License-Identifier: Apache-2.0
// The fear: servers for tests that others can reach, that outlive the run, or whose absence goes unnoticed.
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const script = path.join(__dirname, '../scripts/services.mjs');
const services = (args, env = {}) =>
  spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });

const SPY = `
  const fs = require('node:fs');
  const listeners = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => fs.readFileSync(file, 'utf8').split('\\n').slice(1))
    .map((line) => line.trim().split(/\\s+/)).filter(([, , , state]) => state === '0A').map(([, local]) => local);
  console.log(JSON.stringify({ listeners, env: process.env }));
  process.exitCode = 7;`;
const spy = [process.execPath, '-e', SPY];

/** As the kernel writes sockets: an address in hexadecimal, little end first, and a port. Java's are IPv4 within IPv6. */
const LOOPBACK = /^(0000000000000000FFFF0000)?0100007F:/;
const portOf = (local) => Number.parseInt(local.split(':')[1], 16);

describe('services for tests', function () {
  this.timeout(90_000);

  before(function () {
    if (process.platform !== 'linux') this.skip(); // the kernel's list of sockets is read
    if (!/^missing/m.test(services(['list']).stdout)) return;
    if (process.env.ASHERAH_TEST_REQUIRE === '1')
      throw new Error('something is missing: node scripts/services.mjs install');
    console.error('skipped: something is missing: `node scripts/services.mjs install` gets it');
    this.skip();
  });

  it('are for this machine alone, gone afterwards, and see no AWS account of it', () => {
    const before = new Set(JSON.parse(spawnSync(spy[0], spy.slice(1), { encoding: 'utf8' }).stdout).listeners);
    const run = services(['run', '--require', '--', ...spy], { AWS_PROFILE: 'production', AWS_SESSION_TOKEN: 'token' });
    assert.strictEqual(run.status, 7, run.stderr);
    const { listeners, env } = JSON.parse(run.stdout);

    const ports = Object.entries(env)
      .filter(([name]) => name.startsWith('ASHERAH_TEST_'))
      .flatMap(([, value]) => [...value.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port)));
    assert.strictEqual(ports.length, 7); // two KMS, DynamoDB, MariaDB, MySQL, PostgreSQL, toxiproxy
    for (const port of ports) assert(listeners.some((local) => portOf(local) === port && LOOPBACK.test(local)));
    // other programs of this machine may have begun to listen meanwhile, but not on these ports
    const open = listeners.filter((local) => !before.has(local) && !LOOPBACK.test(local));
    assert.deepStrictEqual(
      open.filter((local) => ports.includes(portOf(local))),
      [],
    );
    assert.strictEqual(env.AWS_PROFILE, undefined);
    assert.strictEqual(env.AWS_SESSION_TOKEN, undefined);
    assert.strictEqual(env.AWS_EC2_METADATA_DISABLED, 'true');
    assert.strictEqual(env.ASHERAH_TEST_REQUIRE, '1');

    const after = JSON.parse(spawnSync(spy[0], spy.slice(1), { encoding: 'utf8' }).stdout).listeners.map(portOf);
    assert.deepStrictEqual(
      ports.filter((port) => after.includes(port)),
      [],
    );
    assert(!fs.existsSync(env.ASHERAH_TEST_CA), 'the folder is left');
    // the passwords are the run's own and are shown to nobody
    const password = /:(\w+)@tcp/.exec(env.ASHERAH_TEST_MYSQL)[1];
    assert(!run.stderr.includes(password));
  });

  it('that are misspelt or whose command is missing are errors', () => {
    assert.strictEqual(services(['run', '--only', 'mysq', '--', 'true']).status, 2);
    assert.strictEqual(services(['run', '--requir', '--', 'true']).status, 2);
    assert.strictEqual(services(['run']).status, 2);
    assert.strictEqual(services(['run', '--only', 'peer', '--', 'no-such-command']).status, 127);
  });
});
