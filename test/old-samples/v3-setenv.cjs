// SPDX-License-Identifier: Apache-2.0

// A program of version 3 that hands variables of the environment over before it sets up, from a file of JSON text. Its README
// makes JSON text of that text once more, which version 3 itself refuses.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const asherah = require('asherah');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'asherah-sample-'));
const file = path.join(folder, 'environment.json');
fs.writeFileSync(file, '{ "SAMPLE_ONE": "first", "SAMPLE_TWO": "second" }');

const text = fs.readFileSync(file, 'utf8');
asherah.setenv(text);
console.log(`once: ${process.env.SAMPLE_ONE} ${process.env.SAMPLE_TWO}`);

process.env.SAMPLE_ONE = '';
asherah.setenv(JSON.stringify(text));
console.log(`twice: ${process.env.SAMPLE_ONE}`);

asherah.setup({
  KMS: 'test-debug-static',
  Metastore: 'test-debug-memory',
  ServiceName: 'service',
  ProductID: 'product',
});
console.log(`decrypted: ${asherah.decrypt_string('partition', asherah.encrypt_string('partition', 'text'))}`);
asherah.shutdown();
fs.rmSync(folder, { recursive: true });
