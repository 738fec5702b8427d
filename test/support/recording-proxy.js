// SPDX-License-Identifier: Apache-2.0

// An HTTP proxy in the test's own process that keeps what AWS clients ask. It answers while the event loop runs, so only
// asynchronous calls can go through it.

const http = require('node:http');
const { once } = require('node:events');

/** @typedef {{ operation: string, keyId?: string, accessKeyId?: string, sessionToken?: string }} Recorded */

class RecordingProxy {
  /** @type {Recorded[]} */
  requests = [];
  #server;
  #agent = new http.Agent({ keepAlive: true });

  /** @param {string} upstream a URL of 127.0.0.1 */
  static async create(upstream) {
    const proxy = new RecordingProxy();
    const { hostname, port } = new URL(upstream);
    proxy.#server = http.createServer((request, response) => proxy.#forward(request, response, { hostname, port }));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.endpoint = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  /** @returns {number} of requests of one operation, such as 'GenerateDataKey' */
  count(operation) {
    return this.requests.filter((request) => request.operation === operation).length;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  async #forward(request, response, { hostname, port }) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { method, url: path, headers } = request;
    this.requests.push({
      operation: headers['x-amz-target']?.split('.').pop(),
      keyId: JSON.parse(body).KeyId,
      accessKeyId: /Credential=([^/]+)\//.exec(headers.authorization)?.[1],
      sessionToken: headers['x-amz-security-token'],
    });
    const onward = http.request({ hostname, port, method, path, headers, agent: this.#agent }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end(body);
  }
}

module.exports = { RecordingProxy };
