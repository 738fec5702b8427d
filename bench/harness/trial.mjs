// SPDX-License-Identifier: Apache-2.0

/**
 * One trial, in a process of its own: `node trial.mjs '{"contender":…,"kind":…}'` prints its result as one line of JSON.
 * The kinds are the functions below.
 */
import { readFileSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { open } from '../rivals/index.mjs';
import { batches, prepare, runner, timed, warmUp } from './measure.mjs';

const request = JSON.parse(process.argv[2]);
const { contender } = request;

const kinds = {
  /** ns per call of one operation at one size. */
  async call({ op, mode, size, time, width = 1 }) {
    const rival = await open(contender);
    const calls = mode === 'sync' ? rival.sync : rival.async;
    if (!calls) return { absent: true, version: rival.version };
    const task = await prepare(calls, op, size);
    const { min, median } = await batches(runner(task, mode, width), time, width);
    rival.close();
    return { ns: min, medianBatch: median, version: rival.version };
  },

  /** A kept session against getSession + encrypt + close, in alternating batches of the same process. */
  async session({ size, time, partitions }) {
    const rival = await open(contender);
    if (!rival.getSession) return { absent: true };
    const names = Array.from({ length: partitions }, (_, i) => `user-${i}`);
    const { call: encrypt, args } = await prepare(rival.sync, 'encrypt', size);
    const kept = (count) => {
      for (let i = 0; i < count; i++) encrypt(args[i % args.length]);
    };
    const each = (count) => {
      for (let i = 0; i < count; i++) {
        const session = rival.getSession(names[i % partitions]);
        session.encrypt(args[i % args.length]);
        session.close();
      }
    };
    const count = await warmUp(each, time / 2);
    await warmUp(kept, time / 4);
    const best = { kept: Infinity, each: Infinity };
    for (const end = performance.now() + time * 2; performance.now() < end; ) {
      best.kept = Math.min(best.kept, ((await timed(kept, count)) * 1e6) / count);
      best.each = Math.min(best.each, ((await timed(each, count)) * 1e6) / count);
    }
    rival.close();
    return best;
  },

  /** Calls per second of `threads` worker threads that each have a factory of their own (threads.mjs). */
  async threads({ threads, size, time }) {
    const gate = new SharedArrayBuffer(8); // two counters: threads ready, threads done
    const workers = Array.from(
      { length: threads },
      () =>
        new Worker(new URL('./threads.mjs', import.meta.url), { workerData: { contender, size, time, gate, threads } }),
    );
    const rates = await Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))),
    );
    return { perSecond: rates.reduce((a, b) => a + b, 0) };
  },

  /** Milliseconds to the end of the first encrypt: from the start of the process, and from before loading. */
  async start() {
    const loading = performance.now();
    const opened = await open(contender);
    const calls = opened.sync ?? opened.async;
    const data = Buffer.alloc(64, 'a');
    const record = calls && (await calls.encrypt(data));
    const end = performance.now();
    if (calls && !(await calls.decrypt(record)).equals(data)) throw new Error('the first record did not come back');
    opened.close();
    return { version: opened.version, total: end, load: end - loading, addonBytes: loadedAddons() };
  },

  /** What the first encrypt, and 20,000 more, add to the memory of the process. */
  async memory() {
    resident(); // its own code and memory, before it is asked
    const before = resident();
    const rival = await open(contender);
    const calls = rival.sync ?? rival.async;
    const data = Buffer.alloc(64, 'a');
    await calls.encrypt(data);
    const first = added(before);
    const end = performance.now() + 2000;
    for (let i = 0; i < 20_000 && performance.now() < end; i++) await calls.encrypt(data);
    const later = added(before);
    rival.close();
    return { first, later };
  },
};

/** Bytes of resident memory without the garbage of JavaScript, whose amount is chance; and of those that are no file's. */
function resident() {
  globalThis.gc(); // once: more would make V8 forget compiled code that is needed again
  const { rss } = process.memoryUsage();
  if (process.platform !== 'linux') return { rss, own: null };
  return { rss, own: Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024 };
}

function added(before) {
  const { rss, own } = resident();
  return { rss: rss - before.rss, own: own === null ? null : own - before.own };
}

/** Bytes of the native addons this process has loaded; 0 where none is. */
function loadedAddons() {
  process.report.excludeNetwork = true;
  const { sharedObjects } = process.report.getReport();
  return [...new Set(sharedObjects)]
    .filter((path) => path.endsWith('.node'))
    .reduce((sum, path) => sum + statSync(path).size, 0);
}

process.stdout.write(`${JSON.stringify(await kinds[request.kind](request))}\n`);
