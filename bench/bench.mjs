// SPDX-License-Identifier: Apache-2.0

import { writeFileSync } from 'node:fs';
import { chart } from './harness/chart.mjs';
import { load, opensslGcm, opensslVersion, stamp } from './harness/machine.mjs';
import { isUsageError, readOptions, USAGE } from './harness/options.mjs';
import { documentation, report } from './harness/report.mjs';
import { rounds, trial } from './harness/run.mjs';
import { buildOfficialGo, installRivals } from './harness/setup.mjs';
import { BARE, CLOUD, OURS, peers, RIVALS, WAYS } from './rivals/index.mjs';
import { apisOf, describe, load as loadPeer } from './rivals/peer.mjs';

function contenders(options) {
  const own = RIVALS.filter(({ name }) => !options.only || options.only.includes(name));
  const given = options.peer.flatMap(({ path, label }) => {
    const { name } = describe(path);
    const apis = apisOf(loadPeer(path));
    if (!apis.length) throw new Error(`--peer ${path}: ${name} has neither setup() and encrypt() nor SessionFactory`);
    return peers(path, label ?? name, apis);
  });
  const rest = own.filter(({ name }) => name !== OURS);
  return [...own.filter(({ name }) => name === OURS), ...given, ...rest];
}

/** Every measurement there is, as one object: what --json prints and the report is made of. */
async function measure(node, field, options) {
  const { sizes, trials, time, tables } = options;
  const result = { stamp: stamp(node), settings: { sizes, trials, time }, contenders: field };
  const wants = (table) => tables.includes(table);
  const asherah = field.filter((c) => c.peer || c.name === OURS || c.name === 'official-go');

  for (const contender of field) {
    const request = { contender, kind: 'start' };
    contender.version = (await trial(node, request)).version; // also: does it run at all, before an hour is spent
  }
  if (wants('calls')) {
    const jobs = ['sync', 'async'].flatMap((mode) =>
      sizes.flatMap((size) =>
        ['encrypt', 'decrypt'].flatMap((op) =>
          field.map((contender) => ({ kind: 'call', contender, mode, size, op, time })),
        ),
      ),
    );
    result.calls = await rounds('calls', node, jobs, trials);
  }
  if (wants('flight')) {
    const jobs = ['encrypt', 'decrypt'].flatMap((op) =>
      field.map((contender) => ({ kind: 'call', contender, mode: 'flight', size: 1024, width: 32, op, time })),
    );
    result.flight = await rounds('calls in flight', node, jobs, trials);
  }
  if (wants('ways')) {
    const ways = [...field.filter(({ name }) => name === OURS), ...WAYS];
    const jobs = ['sync', 'async'].flatMap((mode) =>
      [64, 1024].flatMap((size) =>
        ['encrypt', 'decrypt'].flatMap((op) =>
          ways.map((contender) => ({ kind: 'call', contender, mode, size, op, time })),
        ),
      ),
    );
    result.ways = await rounds('ways', node, jobs, trials);
  }
  if (wants('session')) {
    const jobs = [1, 500].flatMap((partitions) =>
      asherah.map((contender) => ({ kind: 'session', contender, size: 64, partitions, time })),
    );
    result.session = await rounds('sessions', node, jobs, trials);
  }
  if (wants('threads')) {
    const factories = asherah.filter((c) => c.arg?.api !== 'module'); // module-level state is the process's: one set-up
    const jobs = [64, 8192].flatMap((size) =>
      factories.flatMap((contender) => [1, 2].map((threads) => ({ kind: 'threads', contender, size, threads, time }))),
    );
    result.threads = await rounds('worker threads', node, jobs, trials);
  }
  if (wants('start')) {
    const starters = field.flatMap((contender) => (contender.name === OURS ? [contender, CLOUD] : [contender]));
    const starts = [BARE, ...starters].map((contender) => ({ kind: 'start', contender }));
    result.start = await rounds('cold start', node, starts, trials * 4);
    const memory = starters.map((contender) => ({ kind: 'memory', contender }));
    result.memory = await rounds('memory', node, memory, trials);
  }
  if (wants('limit')) {
    const version = opensslVersion();
    result.limit = { version, ns: version && sizes.map((size) => Math.min(...[1, 2, 3].map(() => opensslGcm(size)))) };
  }
  result.stamp.loadAtEnd = load();
  return result;
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(USAGE);
  const field = contenders(options);
  if (field.some(({ name }) => name.startsWith('aws-sdk'))) installRivals();
  if (field.some(({ name }) => name === 'official-go')) buildOfficialGo();

  const results = [];
  for (const node of options.node) results.push(await measure(node, structuredClone(field), options));
  console.log(options.json ? JSON.stringify(results, withoutPaths, 1) : results.map((r) => report(r)).join('\n\n'));
  if (options.write) {
    writeFileSync(new URL('../docs/performance.svg', import.meta.url), chart(results[0]));
    writeFileSync(new URL('../docs/performance.md', import.meta.url), documentation(results));
  }
}

/** Where a peer lies on this machine is nobody's business. */
function withoutPaths(key, value) {
  return key === 'arg' ? undefined : value;
}

main().catch((error) => {
  console.error(isUsageError(error) ? `bench: ${error.message}\n\n${USAGE}` : `bench: ${error.stack ?? error}`);
  process.exitCode = 1;
});
