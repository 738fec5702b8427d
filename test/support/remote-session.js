// SPDX-License-Identifier: Apache-2.0

// A factory in a process of its own (test/fixtures/remote-session.js), for faults that one process can't stage for itself.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { resolve } = require('node:path');
const { AsherahError } = require('asherah-napi');

class RemoteSession {
  /** @param {NodeJS.ProcessEnv} [env] variables besides ours */
  constructor(env = {}) {
    const file = resolve(__dirname, '../fixtures/remote-session.js');
    this.child = fork(file, { execArgv: [], env: { ...process.env, ...env } });
    this.exited = once(this.child, 'exit');
  }

  get pid() {
    return this.child.pid;
  }

  /** One call of the fixture. Rejects with an AsherahError where the child met one. */
  async call(call, ...args) {
    const answered = new Promise((resolve) => this.child.once('message', resolve));
    this.child.send({ call, args });
    const answer = await Promise.race([answered, this.exited.then(([code, signal]) => ({ ended: signal ?? code }))]);
    if (answer.code) throw new AsherahError(answer.code, answer.message);
    if (answer.message) throw new Error(answer.message);
    if ('ended' in answer) throw new Error(`the child ended with ${answer.ended}`);
    return answer.value;
  }

  async stop() {
    if (this.child.connected) this.child.disconnect();
    await this.exited;
  }
}

module.exports = { RemoteSession };
