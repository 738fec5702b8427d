// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import os from 'node:os';

/** What a figure is worth nothing without. */
export function stamp(node) {
  const [cpu] = os.cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    cpu: `${cpu.model.trim()}, ${os.availableParallelism()} ${os.availableParallelism() === 1 ? 'core' : 'cores'}`,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GB`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(),
    load: load(),
  };
}

/** Mean number of runnable processes over the last minute; a machine with nothing else to do shows about 1 here. */
export function load() {
  return os.loadavg()[0].toFixed(2);
}

/** ns per AES-256-GCM seal of `size` bytes by OpenSSL in C with a key set up before: the arithmetic alone. */
export function opensslGcm(size, seconds = 1) {
  const args = ['speed', '-mr', '-elapsed', '-seconds', String(seconds), '-bytes', String(size), '-evp', 'aes-256-gcm'];
  const out = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const bytesPerSecond = Number(/^\+F:\d+:[^:]+:([\d.]+)/m.exec(out)[1]);
  return (size / bytesPerSecond) * 1e9;
}

export function opensslVersion() {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined; // not installed: that one row of one table says so
  }
}
