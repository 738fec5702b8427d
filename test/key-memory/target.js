// SPDX-License-Identifier: Apache-2.0
// The process whose memory is read: does calls of every kind when told to, answers, and is quiet until the next message.
const { SessionFactory } = require('asherah-napi');

const PARTITIONS = 60;
const SIZES = [0, 1, 64, 1024, 8192, 100_000];

let factory;
let held;
const kept = []; // sessions that stay open
const records = []; // {partition, record} to decrypt again

const actions = {
  open({ config }) {
    factory = new SessionFactory(config);
    for (let i = 0; i < 5; i++) kept.push({ partition: `kept-${i}`, session: factory.getSession(`kept-${i}`) });
  },

  async calls({ round, count, fresh }) {
    const made = [];
    const keep = (partition, record) => {
      made.push(record);
      records.push({ partition, record });
    };
    for (let i = 0; i < count; i++) {
      const partition = fresh && i === 0 ? `fresh-${round}` : `p${(round * 7 + i) % PARTITIONS}`;
      const data = Buffer.alloc(SIZES[(round + i) % SIZES.length], 'plaintext');
      const session = factory.getSession(partition);
      keep(partition, i % 2 === 0 ? session.encrypt(data) : await session.encryptAsync(data));
      session.close();

      const { partition: stayed, session: open } = kept[i % kept.length];
      keep(stayed, open.encrypt('short'));

      await readBack(records[(round * 13 + i * 5) % records.length], i);
    }
    // Many calls at once, so that goroutines and their stacks are many as well.
    await Promise.all(
      kept.map(async ({ partition, session }) => keep(partition, await session.encryptAsync('at once'))),
    );
    if (records.length > 500) records.splice(0, 250);
    return made;
  },

  /** Puts bytes into this process's memory as a careless programmer would. They come masked, so that no message holds them. */
  hold({ masked, mask, offset }) {
    const a = Buffer.from(masked, 'base64');
    const b = Buffer.from(mask, 'base64');
    held = Buffer.alloc(offset + a.length);
    for (let i = 0; i < a.length; i++) held[offset + i] = a[i] ^ b[i];
  },
  drop() {
    held.fill(0);
    held = undefined;
  },

  close() {
    factory.close();
  },
};

async function readBack({ partition, record }, i) {
  const session = factory.getSession(partition);
  const data = /"Data":"([^"]*)"/.exec(record)[1];
  const tampered = record.replace(data, (data[0] === 'A' ? 'B' : 'A') + data.slice(1));
  const stranger = kept[(i + 1) % kept.length];
  switch (i % 6) {
    case 0:
      session.decrypt(record);
      break;
    case 1:
      await session.decryptAsync(record);
      break;
    case 2:
      session.decryptString(record);
      break;
    case 3:
      await session.decryptStringAsync(record);
      break;
    case 4:
      mustFail(() => session.decrypt(tampered), 'ERR_ASHERAH_AUTHENTICATION_FAILED');
      await session.decryptAsync(tampered).then(
        () => mustFail(() => {}),
        (error) =>
          mustFail(() => {
            throw error;
          }, 'ERR_ASHERAH_AUTHENTICATION_FAILED'),
      );
      break;
    case 5:
      if (stranger.partition !== partition) {
        mustFail(() => stranger.session.decrypt(record), 'ERR_ASHERAH_PARTITION_MISMATCH');
      }
      break;
  }
  session.close();
}

function mustFail(call, code) {
  try {
    call();
  } catch (error) {
    if (error.code === code) return;
    throw error;
  }
  throw new Error(`expected ${code}`);
}

process.on('message', async ({ action, ...argument }) => {
  try {
    process.send({ result: (await actions[action](argument)) ?? null });
  } catch (error) {
    process.send({ error: `${error.code ?? ''} ${error.stack}`, code: error.code });
  }
});
