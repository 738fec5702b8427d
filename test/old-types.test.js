// SPDX-License-Identifier: Apache-2.0

// The fear: TypeScript that was written for the older packages no longer compiles, under one of the many ways to find a
// package and its types. The sources of test/types/old compile against the packed package, installed as `asherah`, with this
// repository's compiler and one of the generation that those packages had; then they run.

const assert = require('node:assert/strict');
const { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { install, pack, run } = require('./support/packed');

const root = join(__dirname, '..');
const compiler = (name) => join(root, 'node_modules', name, 'bin/tsc');
const COMPILERS = { 'TypeScript 7': compiler('typescript'), 'TypeScript 5': compiler('typescript-5') };

const LEGACY = { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true, target: 'es2020' };
const BUNDLER = { moduleResolution: 'bundler', target: 'es2022' };

/** How a project is set up, and as what kind of module its files then are. */
const PROJECTS = [
  ['TypeScript 7', 'node16, CommonJS', { module: 'node16' }, 'cts'],
  ['TypeScript 7', 'node16, ES modules', { module: 'node16' }, 'mts'],
  ['TypeScript 7', 'nodenext, CommonJS', { module: 'nodenext' }, 'cts'],
  ['TypeScript 7', 'nodenext, ES modules', { module: 'nodenext' }, 'mts'],
  ['TypeScript 7', 'for a bundler', { ...BUNDLER, module: 'esnext' }, 'mts'],
  ['TypeScript 7', 'for a bundler, CommonJS', { ...BUNDLER, module: 'commonjs' }, 'cts'],
  ['TypeScript 5', 'node16, CommonJS', { module: 'node16' }, 'cts'],
  ['TypeScript 5', 'node16, ES modules', { module: 'node16' }, 'mts'],
  ['TypeScript 5', 'classic Node.js resolution', LEGACY, 'ts'],
  ['TypeScript 5', 'classic Node.js resolution without esModuleInterop', { ...LEGACY, esModuleInterop: false }, 'ts'],
];

const PRINTS = {
  v3: 'false bytes more bytes\n',
  'v3-namespace': 'TestService\n',
  v4: 'text later true of a session 0 true\n',
};

describe('TypeScript of the older packages', function () {
  this.timeout(300_000);

  let work;
  let user;
  before(() => {
    work = realpathSync(mkdtempSync(join(tmpdir(), 'asherah-types-')));
    user = join(work, 'user');
    install(user, { asherah: `file:${pack('core', work)}` });
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  /** Every type error of the package's own types counts too: skipLibCheck is off. */
  function compile(index) {
    const [version, , options, extension] = PROJECTS[index];
    const folder = join(user, `project${index}`);
    mkdirSync(folder);
    const names = [...Object.keys(PRINTS), 'wrong'];
    for (const name of names) {
      cpSync(join(__dirname, 'types/old', `${name}.ts`), join(folder, `${name}.${extension}`));
    }
    const types = { types: ['node'], typeRoots: [join(root, 'node_modules/@types')] };
    const compilerOptions = { strict: true, noEmitOnError: true, ...types, ...options };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*'] }));
    run(folder, process.execPath, [COMPILERS[version], '-p', '.']);
    return { folder, emitted: extension.replace('t', 'j') };
  }

  for (const [index, [version, what]] of PROJECTS.entries()) {
    it(`compiles and runs: ${version}, ${what}`, () => {
      const { folder, emitted } = compile(index);
      const env = { ...process.env, NODE_OPTIONS: '--no-warnings' };
      for (const [name, printed] of Object.entries(PRINTS)) {
        assert.equal(run(folder, process.execPath, [`${name}.${emitted}`], env), printed, name);
      }
    });
  }

  it('was compiled by the compilers that are named', () => {
    for (const [name, path] of Object.entries(COMPILERS)) {
      const { version } = JSON.parse(readFileSync(join(path, '../../package.json'), 'utf8'));
      assert.equal(`TypeScript ${version.split('.')[0]}`, name);
    }
  });
});
