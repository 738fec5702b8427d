// SPDX-License-Identifier: Apache-2.0

// AWS KMS that knows a few ciphertexts by heart: the operation Decrypt of any region, by a list of its answers. It runs in a
// thread of its own, so that synchronous calls reach it too.

const http = require('node:http');
const { once } = require('node:events');
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');

/**
 * @param {{ region: string, keyId: string, ciphertextBlob: string, plaintext: string }[]} answers bytes in base64
 * @returns {Promise<{ endpoint: string, stop: () => Promise<number> }>}
 */
async function startFakeKms(answers) {
  const worker = new Worker(__filename, { workerData: answers });
  const [port] = await once(worker, 'message');
  return { endpoint: `http://127.0.0.1:${port}`, stop: () => worker.terminate() };
}

async function answer(request, answers) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { CiphertextBlob, KeyId } = JSON.parse(Buffer.concat(chunks));
  const operation = request.headers['x-amz-target'];
  if (operation !== 'TrentService.Decrypt')
    return [400, { __type: 'UnsupportedOperationException', message: operation }];
  const [, region] = /Credential=[^/]+\/\d+\/([^/]+)\/kms\//.exec(request.headers.authorization) ?? [];
  const found = answers.find(
    (each) => each.ciphertextBlob === CiphertextBlob && each.region === region && (KeyId ?? each.keyId) === each.keyId,
  );
  if (!found) return [400, { __type: 'InvalidCiphertextException', message: 'not one of the list' }];
  return [200, { KeyId: found.keyId, Plaintext: found.plaintext, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }];
}

if (isMainThread) module.exports = { startFakeKms };
else {
  const server = http.createServer(async (request, response) => {
    const [status, body] = await answer(request, workerData);
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
}
