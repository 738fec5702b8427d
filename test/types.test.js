// SPDX-License-Identifier: Apache-2.0
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');

function run(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  return stdout.trim();
}

describe('the types', () => {
  it('accept what is right and refuse what is wrong', () => {
    fs.rmSync(path.join(root, 'build/types'), { recursive: true, force: true });
    const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin/tsc');
    run([tsc, '-p', 'test/types']);
  }).timeout(120_000);

  it('let a CommonJS module compile and run, `using` included', () => {
    assert.equal(run(['build/types/right.cjs']), 'ran');
  });

  it('let an ES module compile and run, `await using` included', () => {
    assert.equal(run(['build/types/right.mjs']), 'ran AsherahError');
  });
});
