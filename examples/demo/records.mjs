// SPDX-License-Identifier: Apache-2.0
// How a file is cut into records. Whatever the cut, the records put together are the file, byte for byte.
import { extname } from 'node:path';
import { pipeline } from 'node:stream';
import { parse } from 'csv-parse';

/** A longer line becomes several records, so that memory stays bounded. */
export const MAX_LINE = 1024 * 1024;
const MAX_ROW = 16 * 1024 * 1024;
const EMPTY = Buffer.alloc(0);

const DELIMITERS = { '.csv': ',', '.tsv': '\t' };

/** Whether rows of this file have columns. */
export function isTable(path) {
  return extname(path).toLowerCase() in DELIMITERS;
}

/** Lines with their ends ("\n" only: the "\r" of a CRLF is part of the line), in one array per chunk. */
export async function* lines(chunks, maxLine = MAX_LINE) {
  let rest = EMPTY;
  for await (const chunk of chunks) {
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const records = [];
    let start = 0;
    // The rest held no line end, so the search goes on behind it.
    let end = data.indexOf(10, rest.length) + 1;
    while (end > 0) {
      records.push(data.subarray(start, end));
      start = end;
      end = data.indexOf(10, start) + 1;
    }
    rest = data.subarray(start);
    if (rest.length >= maxLine) {
      records.push(rest);
      rest = EMPTY;
    }
    if (records.length > 0) yield records;
  }
  if (rest.length > 0) yield [rest];
}

/** Blocks of exactly `size` bytes, the last one shorter, in one array per chunk. */
export async function* blocks(chunks, size) {
  let held = [];
  let length = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    length += chunk.length;
    if (length < size) continue;
    const data = Buffer.concat(held);
    const records = [];
    let start = 0;
    for (; start + size <= data.length; start += size) records.push(data.subarray(start, start + size));
    held = [data.subarray(start)];
    length = data.length - start;
    yield records;
  }
  if (length > 0) yield [Buffer.concat(held)];
}

/**
 * Rows of a CSV or TSV file with the value of one column. csv-parse finds where rows end (quoted line ends included); the
 * bytes come from the file itself, because fields put together again would lose quotes, spaces and invalid UTF-8.
 * The header belongs to the partition of the file.
 */
export async function* rows(chunks, path, column, filePartition) {
  const held = new ByteQueue();
  const parser = parse({
    delimiter: DELIMITERS[extname(path).toLowerCase()],
    // Both, because a file may mix them; found out from the header alone, rows of the other kind would run together.
    record_delimiter: ['\r\n', '\n'],
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW,
  });
  const keep = async function* (source) {
    for await (const chunk of source) {
      held.push(chunk);
      yield chunk;
    }
  };
  // An error anywhere in the pipeline destroys the parser with it, and comes out of the loop.
  pipeline(chunks, keep, parser, () => {});
  let index = -1;
  for await (const { record, info } of parser) {
    let partition = filePartition;
    if (index < 0) {
      index = record.indexOf(column);
      if (index < 0) throw new Error(`no column '${column}' in the header, it has: ${record.slice(0, 20).join(', ')}`);
    } else {
      partition = record[index];
      if (!partition) throw new Error(`line ${info.lines}: column '${column}' is empty, each row needs a partition`);
    }
    yield { partition, records: [held.takeTo(info.bytes)] };
  }
  // Empty lines at the end belong to no row.
  const rest = held.takeTo(Infinity);
  if (rest.length > 0) yield { partition: filePartition, records: [rest] };
}

/** Bytes that were read and not yet cut into records, addressed by their offset in the file. */
class ByteQueue {
  #data = EMPTY;
  #start = 0;
  #later = [];

  push(chunk) {
    this.#later.push(chunk);
  }

  takeTo(offset) {
    if (offset - this.#start > this.#data.length && this.#later.length > 0) {
      this.#data = Buffer.concat([this.#data, ...this.#later]);
      this.#later = [];
    }
    const taken = this.#data.subarray(0, Math.min(offset - this.#start, this.#data.length));
    this.#data = this.#data.subarray(taken.length);
    this.#start += taken.length;
    return taken;
  }
}
