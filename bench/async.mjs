// SPDX-License-Identifier: Apache-2.0

// What docs/async.md says in numbers: node bench/async.mjs PART, with one of the parts at the end.

import { createRequire } from 'node:module';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { asherahConfig } from './rivals/config.mjs';

const require = createRequire(new URL('../package.json', import.meta.url));
const { SessionFactory } = require('asherah-napi');

const openFactory = () => new SessionFactory(asherahConfig('test-debug-memory'));
const ms = (n) => `${n.toFixed(n < 10 ? 2 : 0)} ms`;
const at = (sorted, share) => sorted[Math.floor((sorted.length - 1) * share)];

/** How long one thread's calls take while another thread has given the engine all its work at once. */
async function fair() {
  const data = Buffer.alloc(256 * 1024, 'x');
  const factory = openFactory();
  const session = factory.getSession('p');
  session.encrypt('x');
  const times = async (count) => {
    const taken = [];
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      await session.encryptAsync(data);
      taken.push(performance.now() - began);
    }
    return taken.sort((a, b) => a - b);
  };
  await times(50);
  const alone = await times(200);
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve) => worker.once('message', resolve));
  worker.postMessage('go');
  await new Promise((resolve) => worker.once('message', resolve));
  const beside = await times(20);
  const took = await new Promise((resolve) => worker.once('message', resolve));
  console.log(`256 KB, this thread alone: median ${ms(at(alone, 0.5))}, worst ${ms(at(alone, 1))}`);
  console.log(`beside 2000 calls of another thread: median ${ms(at(beside, 0.5))}, worst ${ms(at(beside, 1))}`);
  console.log(`those took ${ms(took.all)}; finished before the one submitted last: ${took.before} of 1999`);
  await worker.terminate();
  factory.close();
}

async function besideFair() {
  const factory = openFactory();
  const session = factory.getSession('q');
  session.encrypt('x');
  const data = Buffer.alloc(256 * 1024, 'x');
  parentPort.postMessage('ready');
  await new Promise((resolve) => parentPort.once('message', resolve));
  const began = performance.now();
  let [done, before] = [0, 0];
  const calls = Array.from({ length: 2000 }, (_, i) =>
    session.encryptAsync(data).then(() => {
      if (i === 1999) before = done;
      done++;
    }),
  );
  parentPort.postMessage('all submitted');
  await Promise.all(calls);
  parentPort.postMessage({ all: performance.now() - began, before });
}

/** What a method for many records would be: results in order, several calls in flight. */
async function* inOrder(session, inputs, width) {
  const window = [];
  for (const input of inputs) {
    if (window.length === width) yield await window.shift();
    window.push(session.encryptAsync(input));
  }
  for (const call of window) yield await call;
}

/** One call at a time, in a plain loop, against an iterator over results with several calls in flight. */
async function many() {
  const run = async (session, inputs, width) => {
    const began = performance.now();
    if (width === 0) for (const input of inputs) await session.encryptAsync(input);
    else for await (const _ of inOrder(session, inputs, width));
    return performance.now() - began;
  };
  for (const [what, size, count] of [
    ['small', 100, 20_000],
    ['middling', 16 * 1024, 5_000],
    ['mixed', 0, 2_000],
    ['large', 100 * 1024, 1_000],
    ['huge', 1024 * 1024, 100],
  ]) {
    const inputs = Array.from({ length: count }, (_, i) => Buffer.alloc(size || (i % 4 ? 1000 : 100 * 1024), 'x'));
    const best = {};
    for (let round = 0; round < 5; round++) {
      for (const width of [0, 1, 4, 16]) {
        const factory = openFactory();
        const took = await run(factory.getSession('p'), inputs, width);
        best[width] = Math.min(best[width] ?? Number.POSITIVE_INFINITY, took);
        factory.close();
      }
    }
    const columns = Object.entries(best).map(
      ([width, took]) =>
        `${width === '0' ? 'plain loop' : `iterator, ${width} in flight`}: ${((took / count) * 1000).toFixed(1)} us`,
    );
    console.log(`${what} (${count} records): ${columns.join(', ')}`);
  }
}

/** Delays of the event loop while many partitions are loaded from a slow server, against those of an idle one. */
async function loop() {
  const { newStore, openOn } = require('./test/support/cloud-stores.js');
  const { Toxiproxy } = require('./test/support/services.js');
  const store = await newStore('MariaDB');
  const proxy = await Toxiproxy.create(store.port);
  const factory = openOn(store.options(proxy.port), { requestTimeout: 60 });
  await factory.getSession('first').encryptAsync('x');
  await proxy.toxic('latency', { latency: 20 });
  const delaysOf = async (work) => {
    await sleep(200);
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    await work();
    delays.disable();
    return `p50 ${ms(delays.percentile(50) / 1e6)}, p99 ${ms(delays.percentile(99) / 1e6)}, worst ${ms(delays.max / 1e6)}`;
  };
  console.log(`idle: ${await delaysOf(() => sleep(3000))}`);
  const began = performance.now();
  const sessions = Array.from({ length: 1000 }, (_, i) => factory.getSession(`p${i}`));
  console.log(`1000 cold partitions: ${await delaysOf(() => Promise.all(sessions.map((s) => s.encryptAsync('x'))))}`);
  console.log(`they took ${ms(performance.now() - began - 200)}`);
  factory.close();
}

/** How long the event loop does not turn while the results of many large calls come. */
async function turns() {
  const factory = openFactory();
  const session = factory.getSession('p');
  session.encrypt('x');
  for (const [size, count] of [
    [100, 2000],
    [256, 2000],
    [1024, 300],
    [4096, 100],
  ]) {
    const data = Buffer.alloc(size * 1024, 'x');
    let isDone = false;
    const began = performance.now();
    const all = Promise.all(Array.from({ length: count }, () => session.encryptAsync(data))).then(() => {
      isDone = true;
    });
    const submitted = performance.now() - began;
    let [longest, last] = [0, performance.now()];
    while (!isDone) {
      await new Promise(setImmediate);
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    await all;
    const took = performance.now() - began;
    console.log(
      `${count} of ${size} KB: ${ms(took)}, of it to submit ${ms(submitted)}; longest without a turn ${ms(longest)}`,
    );
  }
  factory.close();
}

const parts = { fair, turns, many, loop };
if (!isMainThread) await besideFair();
else if (!(process.argv[2] in parts)) {
  console.error(`usage: node bench/async.mjs ${Object.keys(parts).join(' | ')}
  fair  one thread's calls beside 2000 of another's
  turns the event loop while many large calls end
  many  records one at a time, and several in flight
  loop  the event loop while cold keys are loaded; after node scripts/services.mjs run --only mariadb,toxiproxy --`);
  process.exitCode = 2;
} else {
  await parts[process.argv[2]]();
  process.exit(); // services keep connections
}
