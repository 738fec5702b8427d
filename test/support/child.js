// SPDX-License-Identifier: Apache-2.0

// Whatever may end a process is tested in one of its own: a script of test/fixtures, by scenario.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { join } = require('node:path');

/** A scenario that hangs is killed, and fails by its signal. In milliseconds; {@link inChild} takes another. */
const usualPatience = 120_000;

/**
 * @param {string} fixture a file of test/fixtures
 * @param {string} scenario what it shall do, with `options`
 * @returns {Promise<{code: number | null, signal: string | null, stdout: string, stderr: string}>}
 */
function inChild(fixture, scenario, options = {}, { onLine, patience = usualPatience } = {}) {
  const args = ['--expose-gc', join(__dirname, '../fixtures', fixture), scenario, JSON.stringify(options)];
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: patience,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
    if (onLine) for (const line of String(text).trim().split('\n')) onLine(line, child);
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}); // the child may be gone
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** As {@link inChild}, for a scenario that has to end by itself with exit code 0. @returns what it printed */
async function passes(fixture, scenario, options, how) {
  const { code, signal, stdout, stderr } = await inChild(fixture, scenario, options, how);
  assert.equal(code, 0, `${scenario}: ${signal ?? `exit code ${code}`}\n${stderr}`);
  return stdout.trim();
}

/** In the fixture: runs the scenario that it was asked for. */
function runScenario(scenarios) {
  const [, , name, options] = process.argv;
  return scenarios[name](JSON.parse(options));
}

const memoryConfig = {
  serviceName: 'service',
  productId: 'product',
  kms: 'static',
  staticMasterKeyHex: '42'.repeat(32),
  metastore: 'test-debug-memory',
};
const sqliteConfig = (db) => ({ ...memoryConfig, metastore: 'sqlite', connectionString: db });

module.exports = { inChild, memoryConfig, passes, runScenario, sqliteConfig };
