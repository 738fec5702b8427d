// SPDX-License-Identifier: Apache-2.0
import cliProgress from 'cli-progress';

const FORMAT = '{percentage}% | {records} records | {rate} records/s';

/** Bytes and records so far, as a bar on a terminal and as a plain line every two seconds elsewhere; on stderr. */
export class Progress {
  bytes = 0;
  records = 0;
  #start = performance.now();
  #end;
  #bar;

  constructor(files) {
    this.#bar = new cliProgress.SingleBar(
      {
        format: process.stderr.isTTY ? `{bar} ${FORMAT}` : FORMAT,
        stream: process.stderr,
        noTTYOutput: true,
        gracefulExit: false,
      },
      cliProgress.Presets.shades_classic,
    );
    const total = files.reduce((sum, file) => sum + file.size, 0);
    this.#bar.start(total, 0, this.#payload());
  }

  addBytes(count) {
    this.bytes += count;
    this.#bar.update(this.bytes, this.#payload());
  }

  addRecords(count) {
    this.records += count;
  }

  stop() {
    if (this.#end !== undefined) return;
    this.#end = performance.now();
    this.#bar.update(this.bytes, this.#payload());
    this.#bar.stop();
  }

  /** Milliseconds. */
  get elapsed() {
    return (this.#end ?? performance.now()) - this.#start;
  }

  get rate() {
    return Math.round(this.records / Math.max(this.elapsed / 1000, 0.001));
  }

  #payload() {
    return { records: number(this.records), rate: number(this.rate) };
  }
}

export function number(value) {
  return value.toLocaleString('en-US');
}

/** "1 file", "2 files". */
export function count(value, what) {
  return `${number(value)} ${what}${value === 1 ? '' : 's'}`;
}

export function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
