// SPDX-License-Identifier: Apache-2.0

/** Results as Markdown: ratios first, then what they are made of. */
import { BARE, OURS, WAYS } from '../rivals/index.mjs';
import { median } from './measure.mjs';

const SMALL = [64, 1024, 8192];

export function bytes(size) {
  return size >= 2 ** 20 ? `${size / 2 ** 20} MB` : size >= 1024 ? `${size / 1024} KB` : `${size} B`;
}

const digits = (n) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
export const micro = (ns) => digits(ns / 1000);
const megabytes = (n) => digits(n / 1e6);
const least = (numbers) => Math.min(...numbers);
const geometricMean = (numbers) => Math.exp(numbers.reduce((sum, n) => sum + Math.log(n), 0) / numbers.length);

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i ? '---:' : '---'))), ...rows.map(line)].join('\n');
}

/** The figures of one cell: fastest and median trial. */
export function cell(jobs, name, where) {
  const job = jobs.find(
    (j) => j.contender.name === name && Object.entries(where).every(([key, value]) => j[key] === value),
  );
  if (!job) return undefined;
  const ns = job.results.map((r) => r.ns);
  return { min: least(ns), median: median(ns) };
}

function columns(sizes) {
  return sizes.flatMap((size) => ['encrypt', 'decrypt'].map((op) => ({ size, op })));
}

function calls(jobs, sizes, mode, names) {
  const cols = columns(sizes);
  const figures = new Map(names.map((name) => [name, cols.map((where) => cell(jobs, name, { ...where, mode }))]));
  const present = names.filter((name) => figures.get(name).some(Boolean));
  if (!present.length) return [];
  const head = cols.map(({ size, op }) => `${bytes(size)} ${op}`);
  const parts = [];

  if (present.includes(OURS)) {
    const ours = figures.get(OURS);
    const small = cols.flatMap(({ size }, i) => (SMALL.includes(size) ? [i] : []));
    const ratio = (theirs, i, key) => theirs[i][key] / ours[i][key];
    const rows = present
      .filter((name) => name !== OURS)
      .map((name) => {
        const theirs = figures.get(name);
        const mean = (key) => digits(geometricMean(small.map((i) => ratio(theirs, i, key))));
        const cells = cols.map((_, i) => `${digits(ratio(theirs, i, 'min'))} (${digits(ratio(theirs, i, 'median'))})`);
        return [
          name,
          ...(small.length === SMALL.length * 2 ? [`**${mean('min')}** (${mean('median')})`] : []),
          ...cells,
        ];
      });
    const meanHead = small.length === SMALL.length * 2 ? ['geometric mean to 8 KB'] : [];
    if (rows.length) {
      parts.push(
        `Times the time of ${OURS}, by the fastest trials (in brackets: by the median trials); above 1 we are faster:`,
      );
      parts.push(table(['', ...meanHead, ...head], rows));
    }
  }
  parts.push('Microseconds per call, fastest trial (median trial):');
  parts.push(
    table(
      ['', ...head],
      present.map((name) => [name, ...figures.get(name).map((f) => `${micro(f.min)} (${micro(f.median)})`)]),
    ),
  );
  return parts;
}

function sessions(jobs) {
  const rows = jobs.map(({ contender, partitions, results }) => {
    const kept = least(results.map((r) => r.kept));
    const each = least(results.map((r) => r.each));
    return [contender.name, partitions, digits(each / kept), micro(each), micro(kept)];
  });
  return [
    'As a web service does it: `getSession`, encrypt 64 B, `close`, for one partition or 500 in turn (all hot), against the encrypt ' +
      'of a session that is kept. Fastest batches, in microseconds. (Module-level functions have no session to keep.)',
    table(['', 'partitions', 'ratio', 'getSession + encrypt + close', 'encrypt'], rows),
  ];
}

function ways(jobs) {
  const names = [OURS, ...WAYS.map(({ name }) => name)];
  return [
    ...WAYS.map(({ name, about }) => `- **${name}**: ${about}`),
    'Synchronous:',
    ...calls(jobs, [64, 1024], 'sync', names),
    'Asynchronous:',
    ...calls(jobs, [64, 1024], 'async', names),
  ];
}

function threads(jobs) {
  const names = [...new Set(jobs.map((j) => j.contender.name))];
  const most = (name, size, n) =>
    Math.max(
      ...jobs
        .find((j) => j.contender.name === name && j.size === size && j.threads === n)
        .results.map((r) => r.perSecond),
    );
  const sizes = [...new Set(jobs.map((j) => j.size))];
  const rows = names.flatMap((name) =>
    sizes.map((size) => {
      const [one, two] = [most(name, size, 1), most(name, size, 2)];
      return [
        name,
        bytes(size),
        digits(two / one),
        Math.round(one).toLocaleString('en'),
        Math.round(two).toLocaleString('en'),
      ];
    }),
  );
  return [
    'Encrypts per second of one worker thread and of two, each with a factory of its own; most of any trial.',
    table(['', 'payload', 'ratio', 'one thread', 'two threads'], rows),
  ];
}

function start({ start: jobs, memory: memoryJobs }) {
  const bare = jobs.find((j) => j.contender.name === BARE.name).results;
  const shortest = (results, key) => least(results.map((r) => r[key]));
  const middle = (results, key) => median(results.map((r) => r[key]));
  const rows = jobs
    .filter((j) => j.contender.name !== BARE.name)
    .map(({ contender, results }) => {
      const { results: grown } = memoryJobs.find((j) => j.contender.name === contender.name);
      const memory = (when) => {
        const of = (part) => megabytes(median(grown.map((r) => r[when][part])));
        return grown[0][when].own === null ? of('rss') : `${of('rss')} (${of('own')})`; // only Linux tells
      };
      return [
        contender.name,
        `${digits(shortest(results, 'load'))} (${digits(middle(results, 'load'))})`,
        digits(middle(results, 'total') - middle(bare, 'total')),
        memory('first'),
        memory('later'),
        results[0].addonBytes ? megabytes(results[0].addonBytes) : '-',
      ];
    });
  return [
    'Milliseconds from before loading the package to the end of its first encrypt, fastest start (median start); and from the ' +
      `start of the process, medians, without the ${digits(middle(bare, 'total'))} ms of Node and the harness alone (10 ms either way are noise). Resident memory ` +
      'added, in MB (10^6), JavaScript garbage collected before and after: by loading, setting up and the first encrypt, and after ' +
      '20,000 more. In brackets the part that is no file; the rest are pages of the addon and of Node itself, which the system ' +
      'shares and drops at need (and of which more or less are touched by chance: the compiler in Node alone is 3 MB). ' +
      'Size of the native addon, in MB.',
    table(['', 'load to first encrypt', 'of the process', 'memory', 'memory after 20,000', 'addon'], rows),
  ];
}

function limit(result, sizes) {
  const { limit, calls: jobs } = result;
  if (!limit.version) return ['`openssl` is not installed on the machine that measured this, so the limit is unknown.'];
  const ours = (size, op) => jobs && cell(jobs, OURS, { size, op, mode: 'sync' });
  const rows = sizes.map((size, i) => {
    const share = (op) =>
      ours(size, op) ? `${micro(ours(size, op).min)} (${Math.round((100 * limit.ns[i]) / ours(size, op).min)} %)` : '-';
    return [bytes(size), micro(limit.ns[i]), digits(size / limit.ns[i]), share('encrypt'), share('decrypt')];
  });
  return [
    `The limit: one AES-256-GCM seal of the payload in C (${limit.version.split(' ').slice(0, 2).join(' ')}, \`openssl speed\`), its key set up ` +
      'before (at 64 B most of it is the overhead of a call), ' +
      'against our synchronous calls; in brackets the share of our time that this arithmetic would take. What a record needs besides: 56 random bytes, a ' +
      'fresh key schedule, the seal of its key, base64 (a third more bytes than the payload), and one JavaScript string.',
    table(['payload', 'AES-256-GCM, us', 'GB/s', 'encrypt, us', 'decrypt, us'], rows),
  ];
}

/** Sections of one run, with headings of the given level. */
export function report(result, level = 1) {
  const { stamp, settings, contenders } = result;
  const names = contenders.map((c) => c.name);
  const heading = (text) => `${'#'.repeat(level + 1)} ${text}`;
  const parts = [
    `Measured ${stamp.date} UTC on ${stamp.cpu}, ${stamp.memory}, ${stamp.system}, Node ${stamp.node}; load average ${stamp.load} at the start, ` +
      `${stamp.loadAtEnd} at the end. ${settings.trials} trials of ${settings.time} ms for each figure, each in a process of its own, interleaved.`,
    contenders.map((c) => `- **${c.name}** ${c.version.replace(/^v?/, 'v')}: ${c.about}`).join('\n'),
  ];
  if (result.calls) {
    parts.push(heading('Synchronous calls'), ...calls(result.calls, settings.sizes, 'sync', names));
    parts.push(
      heading('Asynchronous calls, one awaited after the other'),
      ...calls(result.calls, settings.sizes, 'async', names),
    );
  }
  if (result.flight)
    parts.push(heading('Asynchronous calls, 32 in flight'), ...calls(result.flight, [1024], 'flight', names));
  if (result.ways) parts.push(heading('Module-level functions, and hooks'), ...ways(result.ways));
  if (result.session) parts.push(heading('A session for every call'), ...sessions(result.session));
  if (result.threads) parts.push(heading('Worker threads'), ...threads(result.threads));
  if (result.start) parts.push(heading('Cold start, memory, size'), ...start(result));
  if (result.limit) parts.push(heading('How far from the limit'), ...limit(result, settings.sizes));
  return parts.join('\n\n');
}

/** docs/performance.md */
export function documentation(results) {
  return `# Performance

Written by \`npm run bench -- --write\` (with \`--peer PATH\` for packages that are not dependencies); change bench/, not this page. How it
measures: every figure comes from several processes, the rivals' taken in turn. A process encrypts and decrypts its inputs once and compares
them, warms up, then times batches of 50 ms (garbage collections included) and reports its fastest. Keys are hot, the metastore is
in memory, inputs are random bytes, 2 to 64 different ones in turn.

![microseconds per call](performance.svg)

${results.map((r) => (results.length > 1 ? `## Node ${r.stamp.node}\n\n${report(r, 2)}` : report(r))).join('\n\n')}
`;
}
