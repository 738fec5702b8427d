// SPDX-License-Identifier: Apache-2.0

// The fear: the package works in its repository only. Files missing from the tarball or too many in it, an install that
// wants a compiler or runs a script, types that a user's compiler cannot find.

const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} = require('node:fs');
const { tmpdir } = require('node:os');
const { delimiter, join } = require('node:path');

const root = join(__dirname, '..');
// npm's own script, started with the node under test: on the PATH a link to it
const npm = realpathSync(
  process.env.PATH.split(delimiter)
    .map((folder) => join(folder, 'npm'))
    .find(existsSync),
);
const tsc = join(root, 'node_modules/typescript/bin/tsc');

const ROUND_TRIP = `
  const factory = new SessionFactory({
    serviceName: 'service', productId: 'product', kms: 'static', staticMasterKeyHex: '4d'.repeat(32),
    metastore: 'sqlite', connectionString: 'keys.db',
  });
  const session = factory.getSession('partition');
  const record = session.encrypt('through the package');
  session.decryptStringAsync(record).then((text) => {
    console.log(text === session.decryptString(record) && !record.includes(text) && text);
    factory.close();
  });`;

const TYPED = `
import { AsherahError, type SessionFactoryConfig, SessionFactory } from 'asherah-napi';
const config: SessionFactoryConfig = { serviceName: 's', productId: 'p', kms: 'test-debug-static', metastore: 'memory' };
using factory = new SessionFactory(config);
const record: string = factory.getSession('partition').encrypt(Buffer.from('data'));
const data: Promise<Buffer> = factory.getSession('partition').decryptAsync(record);
// @ts-expect-error: partitions are strings
factory.getSession(1);
export { AsherahError, data };
`;

describe('the package', function () {
  this.timeout(300_000); // compiles the addon once more, as a release does

  let work;
  let tree; // a copy of the sources, as a fresh clone has them
  let tarball;
  let packed; // what npm says it put in
  let user; // an empty folder that installs it

  before(() => {
    work = realpathSync(mkdtempSync(join(tmpdir(), 'asherah-package-')));
    tree = join(work, 'tree');
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
    for (const file of listed.toString().split('\0')) {
      if (/^(bench|examples|test)\//.test(file) || file === '') continue;
      cpSync(join(root, file), join(tree, file));
    }
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'), 'dir');
    run(tree, process.execPath, [npm, 'run', 'build:lib']);
    run(tree, process.execPath, [npm, 'run', 'prebuilds']);
    packed = JSON.parse(run(tree, process.execPath, [npm, 'pack', '--json', '--pack-destination', work]))[0];
    tarball = join(work, packed.filename);
    user = join(work, 'user');
    mkdirSync(user);
  });

  after(() => rmSync(work, { recursive: true, force: true }));

  function run(cwd, command, args, env = process.env) {
    const result = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 1 << 26 });
    assert.strictEqual(
      result.status,
      0,
      `${command} ${args.join(' ')}\n${result.error ?? ''}${result.stdout}${result.stderr}`,
    );
    return result.stdout;
  }

  it('holds exactly what it should', () => {
    const compiled = readdirSync(join(root, 'lib')).flatMap((source) => {
      const [, name, m] = /^(.*)\.(m?)ts$/.exec(source);
      // The modules behind the entry are bundled into it; tests have them apart, users don't.
      return name === 'index' ? [`dist/${name}.${m}js`, `dist/${name}.d.${m}ts`] : [`dist/${name}.d.ts`];
    });
    const libc = process.platform === 'linux' ? '.glibc' : '';
    const expected = [
      ...compiled,
      `prebuilds/${process.platform}-${process.arch}/asherah-core${libc}.node`,
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'docs/configuration.md',
      'docs/errors.md',
      'package.json',
    ];
    const held = packed.files.map((file) => file.path);
    const without = (list, other) => list.filter((file) => !other.includes(file));
    assert.deepStrictEqual(
      { missing: without(expected, held), extra: without(held, expected) },
      { missing: [], extra: [] },
    );
  });

  it('installs with scripts blocked, where there is no compiler, and encrypts and decrypts', () => {
    // node, and sh and env for npm's own start; everything else a build would need is out of reach
    const bin = join(work, 'bin');
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, 'node'));
    const env = { ...process.env, PATH: bin, PREBUILDS_ONLY: '' };
    for (const tool of ['go', 'cc', 'c++', 'cmake', 'make', 'python3']) {
      assert.strictEqual(spawnSync(tool, ['--version'], { env }).error?.code, 'ENOENT', `${tool} is out of reach`);
    }
    writeFileSync(join(user, 'package.json'), '{ "private": true }');
    run(
      user,
      process.execPath,
      [npm, 'install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball],
      env,
    );

    writeFileSync(join(user, 'use.cjs'), `const { SessionFactory } = require('asherah-napi');${ROUND_TRIP}`);
    writeFileSync(join(user, 'use.mjs'), `import { SessionFactory } from 'asherah-napi';${ROUND_TRIP}`);
    for (const file of ['use.cjs', 'use.mjs']) {
      assert.strictEqual(run(user, join(bin, 'node'), [file], env), 'through the package\n', file);
    }
  });

  it('runs no script of its own or of npm’s making when it is installed', () => {
    const manifest = require(join(user, 'node_modules/asherah-napi/package.json'));
    const onInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
    assert.deepStrictEqual(
      onInstall.filter((name) => manifest.scripts?.[name]),
      [],
    );
    // npm invents `node-gyp rebuild` for a package with a binding.gyp; either of the two would keep it from that
    assert.strictEqual(manifest.gypfile, false);
    assert.ok(!readdirSync(join(user, 'node_modules/asherah-napi')).includes('binding.gyp'));
    assert.deepStrictEqual(Object.keys(manifest.dependencies), ['node-gyp-build']);
  });

  it('has types for import and for require', () => {
    writeFileSync(join(user, 'typed.mts'), TYPED);
    writeFileSync(join(user, 'typed.cts'), TYPED);
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'node20',
      '--target',
      'es2022',
      '--lib',
      'es2022,esnext.disposable',
    ];
    const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];
    run(user, process.execPath, [tsc, ...options, ...types, 'typed.mts', 'typed.cts']);
  });
});
