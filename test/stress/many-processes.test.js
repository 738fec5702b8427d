// SPDX-License-Identifier: Apache-2.0

// The fear: processes that share one SQLite file, and die at the worst moment, make two keys where there should be one, or
// hand out a record whose key was never stored. 8 processes x 500 fresh partitions, half of them the same for all, with 20
// kill -9; it is fast enough to run in full every time.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { join, resolve } = require('node:path');
const { startGo } = require('../support/peer.js');
const { masterKey, openFactory, temporaryFolder } = require('../support/store.js');

const processes = 8;
const common = 250;
const own = 250;
const kills = 20;

const random = (below) => Math.floor(Math.random() * below);

function shuffled(list) {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

/** Runs one child until it ends or is killed. @returns {Promise<number | string>} its exit code or signal */
function run(config, partitions, onRecord) {
  const script = resolve(__dirname, '../fixtures/fresh-partitions.js');
  const child = spawn(process.execPath, [script, JSON.stringify(config), JSON.stringify(partitions)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop(); // half a line is not a record that was handed out
    for (const line of lines) onRecord(JSON.parse(line), child);
  });
  return new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
}

describe('many processes on one SQLite file, killed at random', function () {
  this.timeout(300_000);
  const folder = temporaryFolder();
  let go;
  before(() => {
    go = startGo();
  });
  after(() => go?.stop());

  it('store each key once, and never hand out a record without its key', async () => {
    const db = join(folder, 'keys.db');
    const config = {
      ...{ serviceName: 'service', productId: 'product', kms: 'static', staticMasterKeyHex: masterKey },
      ...{ metastore: 'sqlite', connectionString: db },
    };
    const names = (prefix, count) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
    const handedOut = [];
    let killed = 0;
    let planned = 0;

    async function work(number) {
      let todo = shuffled([...names('common', common), ...names(`own-${number}`, own)]);
      while (todo.length > 0) {
        const done = new Set();
        // after so many records, and then at any moment of the next few, of which there must be enough
        let untilKill = planned < kills && todo.length > 50 ? random(Math.min(100, todo.length - 50)) : Infinity;
        if (untilKill !== Infinity) planned++;
        const end = await run(config, todo, (line, child) => {
          handedOut.push(line);
          done.add(line.partition);
          if (untilKill-- === 0) setTimeout(() => child.kill('SIGKILL'), Math.random() * 10);
        });
        if (end === 'SIGKILL') killed++;
        assert.ok(end === 0 || end === 'SIGKILL', `a child ended with ${end}`);
        todo = todo.filter((partition) => !done.has(partition));
        if (end === 0) assert.deepEqual(todo, [], 'a child that ends well has handed out every record');
      }
    }
    const began = performance.now();
    await Promise.all(Array.from({ length: processes }, (_, number) => work(number)));
    const seconds = (performance.now() - began) / 1000;
    assert.equal(killed, kills, 'as many were killed as planned');
    assert.ok(handedOut.length >= processes * (common + own));

    const [{ integrity_check }] = await go.sql(db, 'PRAGMA integrity_check');
    assert.equal(integrity_check, 'ok');
    const rows = await go.sql(db, `SELECT id, created || '' AS created FROM encryption_key ORDER BY id, created`);
    const dates = new Map();
    for (const { id, created } of rows) {
      dates.set(id, [...(dates.get(id) ?? []), Date.parse(`${created.replace(' ', 'T')}Z`)]);
    }
    assert.equal(dates.size, 1 + common + processes * own, 'one system key, one intermediate key for each partition');
    for (const [id, times] of dates) {
      assert.equal(new Set(times).size, times.length, `${id} has two rows of one date`);
      // Two processes that make a key of one id on both sides of a full minute both succeed: two dates, two good keys.
      assert.ok(
        times.length === 1 || (times.length === 2 && times[1] - times[0] === 60_000),
        `${id} has ${times.length} rows`,
      );
    }

    const ninth = openFactory(db);
    for (const { partition, record } of handedOut) {
      assert.equal(ninth.getSession(partition).decryptString(record), `text of ${partition}`);
    }
    ninth.close();
    const counts = `${handedOut.length} records of ${dates.size - 1} partitions, ${killed} kills, ${rows.length} key rows`;
    console.log(`      ${counts}, ${seconds.toFixed(1)} s`);
  });
});
