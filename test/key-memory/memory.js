// SPDX-License-Identifier: Apache-2.0
// Reads another process's memory through /proc. Allowed to root, to an ancestor, or, without Yama, to the same user.
const fs = require('node:fs');

const PAGE = 4096;
const CHUNK = 4 * 1024 * 1024;

/** The mappings of a process as /proc/<pid>/smaps shows them. */
function mappings(pid) {
  const list = [];
  for (const line of fs.readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ *(.*)$/.exec(line);
    if (head) {
      const [, start, end, mode, name] = head;
      list.push({
        start: Number.parseInt(start, 16),
        end: Number.parseInt(end, 16),
        mode,
        name: name || '[anonymous]',
        kB: {},
      });
      continue;
    }
    const mapping = list.at(-1);
    const size = /^(\w+): +(\d+) kB$/.exec(line);
    if (size) mapping.kB[size[1]] = Number(size[2]);
    else if (line.startsWith('VmFlags:')) mapping.flags = line.slice(8).trim().split(' ');
  }
  return list;
}

/**
 * Whether the process can have put something there: pages that only show a file are the file. Mappings without read
 * permission count too, since permissions change.
 */
function holdsOwnData({ kB, name }) {
  return !name.startsWith('[v') && kB.Anonymous + kB.Private_Dirty + kB.Shared_Dirty + kB.Swap > 0;
}

/**
 * Looks for needles in everything the process wrote to its memory. The caller keeps it quiet meanwhile.
 * @returns {{hits: {what: string, mapping: object, address: number}[], bytes: number, unread: object[]}}
 */
function scan(pid, needles) {
  const memory = fs.openSync(`/proc/${pid}/mem`, 'r');
  const pagemap = fs.openSync(`/proc/${pid}/pagemap`, 'r');
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  const found = { hits: [], bytes: 0, unread: [] };
  try {
    for (const mapping of mappings(pid).filter(holdsOwnData)) {
      for (const [from, to] of presentRuns(pagemap, mapping)) {
        for (let at = from; at < to; at += CHUNK) {
          let read;
          try {
            read = fs.readSync(memory, buffer, 0, Math.min(CHUNK, to - at), at);
          } catch (error) {
            found.unread.push({ mapping, error });
            break;
          }
          found.bytes += read;
          for (const { what, offset } of needles.find(buffer, read))
            found.hits.push({ what, mapping, address: at + offset });
        }
      }
    }
  } finally {
    buffer.fill(0);
    fs.closeSync(memory);
    fs.closeSync(pagemap);
  }
  return found;
}

/** The parts of a mapping that are in memory or in swap; Go and V8 reserve far more than they use. */
function presentRuns(pagemap, { start, end }) {
  const pages = (end - start) / PAGE;
  const entries = Buffer.alloc(pages * 8);
  const length = fs.readSync(pagemap, entries, 0, entries.length, (start / PAGE) * 8);
  const runs = [];
  for (let page = 0; page < length / 8; page++) {
    if ((entries[page * 8 + 7] & 0xc0) === 0) continue; // bit 63: present, bit 62: swapped
    const at = start + page * PAGE;
    if (runs.at(-1)?.[1] === at) runs.at(-1)[1] = at + PAGE;
    else runs.push([at, at + PAGE]);
  }
  return runs;
}

/**
 * Whether the kernel put the bytes there: on a signal it saves a thread's registers on its signal stack, in an area that x86
 * marks with FP_XSTATE_MAGIC1. A signal in the middle of a cipher leaves round keys that nobody wipes.
 */
function isInSignalFrame(pid, address) {
  const file = fs.openSync(`/proc/${pid}/mem`, 'r');
  try {
    const around = Buffer.alloc(1024);
    fs.readSync(file, around, 0, around.length, Math.max(0, address - 512));
    return around.includes(Buffer.from('SXPF'));
  } finally {
    fs.closeSync(file);
  }
}

const isLocked = (mapping) => mapping.flags.includes('lo');
const isLeftOutOfDumps = (mapping) => mapping.flags.includes('dd');

module.exports = { isInSignalFrame, isLeftOutOfDumps, isLocked, scan };
