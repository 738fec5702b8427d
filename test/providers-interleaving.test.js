// SPDX-License-Identifier: Apache-2.0

// The fear: a call that waits for its own thread hangs for ever, and the server with it. Each scenario is a process of its own,
// which is killed if it does.

const assert = require('node:assert/strict');
const { passes } = require('./support/child.js');

const fixture = 'providers.js';
const patience = { patience: 40_000 };

describe('a KMS and a metastore in JavaScript, and calls', function () {
  this.timeout(60_000);

  const it_ = (title, scenario, check = () => {}) =>
    it(title, async () => check(await passes(fixture, scenario, {}, patience)));

  it_('that are synchronous beside asynchronous ones: they serve these too', 'sync beside async');
  it_('that need what waits for a promise: they fail at once, and the others work', 'sync beside a promise');
  it_('that meet a promise at any step: they fail at once, and the key is there next time', 'a promise after others');
  it_('that are all synchronous: they see a revocation at the check interval', 'refresh in sync calls');
  it_('that are synchronous, while a refresh is a promise: the key at hand goes on', 'refresh by promises');
  it_('that never let a refresh end: a warning names the way out, maxKeyStaleness ends it', 'refresh in vain');
  it_('from inside of the functions themselves', 'sessions in providers');
  it_('that a function awaits for its own sake: the deadline ends them', 'awaits itself');
  it_('whose factory a function closes', 'closed by providers');
  it_('that are answered late or never, or by a busy thread', 'slow and never');
  it_('at the end of the stack', 'end of the stack');
  it_('that end the process, synchronously', 'exit inside a sync call');
  it_('that end the process, asynchronously', 'exit inside an async call', (out) => assert.equal(out, 'exited'));
  it_('that nobody waits for keep no process alive', 'end beside promises');
  it_('of a factory that is forgotten: it is collected', 'forgotten', (out) => assert.ok(Number(out) <= 2, out));
});
