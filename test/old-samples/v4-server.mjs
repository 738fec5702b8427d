// SPDX-License-Identifier: Apache-2.0

// A program of version 4 as its framework guide has it: default and named imports side by side, a session per request with
// asynchronous methods (which version 4's sessions lacked), a factory that ends with the server.

import { createServer } from 'node:http';
import asherah, { AsherahSession, getSetupStatus, SessionFactory } from 'asherah';

const factory = new SessionFactory({
  serviceName: 'server',
  productId: 'sample',
  metastore: 'memory',
  kms: 'test-debug-static',
});

asherah.setLogHook(({ level, message }) => {
  if (level === 'error') console.log(message);
});

const server = createServer(async (request, response) => {
  const session = factory.getSession(request.url);
  try {
    const record = await session.encryptStringAsync('of a request');
    response.end(JSON.stringify({ record, text: await session.decryptStringAsync(record) }));
  } finally {
    session.close();
  }
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

const { port } = server.address();
const answers = await Promise.all(
  ['one', 'two'].map(async (path) => (await fetch(`http://127.0.0.1:${port}/${path}`)).json()),
);
for (const { record, text } of answers) console.log(JSON.parse(record).Key.ParentKeyMeta.KeyId, text);

console.log('a class:', typeof AsherahSession, 'set up:', getSetupStatus());
server.closeAllConnections?.();
server.close();
factory.close();
asherah.setLogHook(null);
