// SPDX-License-Identifier: Apache-2.0

// Servers that live as long as one run: on a free port of 127.0.0.1, in a folder of their own, gone at the end.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from './install.mjs';

const START_LIMIT = 60_000; // ms until a server must answer; a loaded CI machine has been seen to need 20 s for Java
const STOP_LIMIT = 5_000; // ms from the polite signal to SIGKILL
const ATTEMPTS = 3;

/** @returns {Promise<number>} a port that was free a moment ago; somebody else may take it, so start() tries again */
function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** Whether an HTTP server answers at all, with whatever status. */
export async function answersHTTP(port, path = '/') {
  try {
    await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2000) });
    return true;
  } catch {
    return false;
  }
}

/** Whether the server speaks first, as MySQL and MariaDB do once they serve. */
export function greets(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer) => {
      socket.destroy();
      done(answer);
    };
    socket.setTimeout(2000, () => end(false));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

/** Makes the server end with us even if we are killed, where the system has a way to say so. */
function tied(command, args, signal) {
  const setpriv = process.platform === 'linux' && program('setpriv');
  return setpriv ? [setpriv, ['--pdeathsig', signal, '--', command, ...args]] : [command, args];
}

const lastLines = (file) => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n');

/**
 * Starts a server and waits until it answers.
 * @param {object} server
 * @param {string} server.name for messages and the log file
 * @param {string} server.folder where it may write; the log goes there too
 * @param {(port: number) => [string, string[]]} server.command the program and its arguments
 * @param {(port: number) => Promise<boolean>} server.ready whether it serves
 * @param {{ uid: number, gid: number }} [server.user] who runs it
 * @param {NodeJS.ProcessEnv} [server.env] in place of ours
 * @param {NodeJS.Signals} [server.signal] that ends it; SIGKILL unless it leaves something behind when killed
 * @param {AbortSignal} server.cancel stops waiting
 * @returns {Promise<{ port: number, pid: number, stop: () => Promise<void> }>}
 */
export async function start({ name, folder, command, ready, user, env, signal = 'SIGKILL', cancel }) {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const [file, args] = tied(...command(port), signal);
    const log = join(folder, `${name}.log`);
    const output = openSync(log, 'w');
    // a process group of its own: Ctrl-C in the terminal is for us, who stop it in order
    const child = spawn(file, args, { ...user, env, cwd: folder, detached: true, stdio: ['ignore', output, output] });
    closeSync(output);
    let ended = false;
    const end = new Promise((done) => {
      for (const event of ['exit', 'error']) {
        child.once(event, () => {
          ended = true;
          done();
        });
      }
    });
    const stop = async () => {
      if (ended || !child.pid) return;
      child.kill('SIGCONT'); // a test may have stopped it
      child.kill(signal);
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT);
      await end;
      clearTimeout(late);
    };
    const limit = Date.now() + START_LIMIT;
    while (!ended && Date.now() < limit && !cancel.aborted) {
      if ((await ready(port)) && !ended) return { port, pid: child.pid, stop };
      await sleep(50);
    }
    const early = ended;
    await stop();
    if (cancel.aborted) throw new Error(`${name}: not started`);
    if (!early) throw new Error(`${name} did not answer within ${START_LIMIT / 1000} s:\n${lastLines(log)}`);
    if (attempt === ATTEMPTS) throw new Error(`${name} ended at once, ${ATTEMPTS} times:\n${lastLines(log)}`);
  }
}
