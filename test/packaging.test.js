// SPDX-License-Identifier: Apache-2.0

// The fear: the package works in its repository only. Files missing from the tarball or too many in it, an install that
// wants a compiler or runs a script, types that a user's compiler cannot find.

const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { npm, run } = require('./support/packed');

const root = join(__dirname, '..');
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
  this.timeout(600_000); // compiles both addons once more, as a release does

  let work;
  let tree; // a copy of the sources, as a fresh clone has them
  let packed; // what npm says it put in, of both packages
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
    const pack = (folder) =>
      JSON.parse(run(join(tree, folder), process.execPath, [npm, 'pack', '--json', '--pack-destination', work]))[0];
    packed = { core: pack('.'), cloud: pack('cloud') };
    user = join(work, 'user');
    mkdirSync(user);
  });

  after(() => rmSync(work, { recursive: true, force: true }));

  const tarball = ({ filename }) => join(work, filename);

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
    assertFiles(packed.core, expected);
    const prebuild = `prebuilds/${process.platform}-${process.arch}/asherah-cloud${libc}.node`;
    assertFiles(packed.cloud, ['LICENSE', 'README.md', 'index.js', 'package.json', prebuild]);
  });

  function assertFiles({ files }, expected) {
    const held = files.map((file) => file.path);
    const without = (list, other) => list.filter((file) => !other.includes(file));
    assert.deepStrictEqual(
      { missing: without(expected, held), extra: without(held, expected) },
      { missing: [], extra: [] },
    );
  }

  it('has one version with its cloud half, and asks for exactly that one', () => {
    const core = require('../package.json');
    const cloud = require('../cloud/package.json');
    assert.strictEqual(cloud.version, core.version);
    assert.deepStrictEqual(core.optionalDependencies, { [cloud.name]: cloud.version });
    assert.strictEqual(require('../dist/version.js').version, core.version);
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
      // --omit=optional: the cloud half comes by its own tarball below
      [
        npm,
        'install',
        '--ignore-scripts',
        '--prefer-offline',
        '--no-audit',
        '--no-fund',
        '--omit=optional',
        tarball(packed.core),
      ],
      env,
    );

    writeFileSync(join(user, 'use.cjs'), `const { SessionFactory } = require('asherah-napi');${ROUND_TRIP}`);
    writeFileSync(join(user, 'use.mjs'), `import { SessionFactory } from 'asherah-napi';${ROUND_TRIP}`);
    for (const file of ['use.cjs', 'use.mjs']) {
      assert.strictEqual(run(user, join(bin, 'node'), [file], env), 'through the package\n', file);
    }
  });

  it('without its cloud half says which option needs it, and works with it', () => {
    const use = `
      const { SessionFactory, loadCloud } = require('asherah-napi');
      const config = {
        serviceName: 's', productId: 'p', kms: 'static', staticMasterKeyHex: '4d'.repeat(32),
        metastore: 'rdbms', connectionString: 'mysql://user@127.0.0.1:1/none',
      };
      try {
        new SessionFactory(config).close();
        loadCloud();
        console.log('works');
      } catch ({ code, message }) {
        console.log(code, message);
      }`;
    writeFileSync(join(user, 'cloud.cjs'), use);
    const without = run(user, process.execPath, ['cloud.cjs']);
    assert.match(
      without,
      /^ERR_ASHERAH_LOAD_FAILED addon: config\.metastore 'rdbms' needs the package asherah-napi-cloud/,
    );
    assert.match(without, /npm install asherah-napi-cloud@\d/);
    const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    run(user, process.execPath, [npm, ...install, tarball(packed.core), tarball(packed.cloud)]);
    assert.strictEqual(run(user, process.execPath, ['cloud.cjs']), 'works\n');
  });

  it('runs no script of its own or of npm’s making when it is installed', () => {
    for (const name of ['asherah-napi', 'asherah-napi-cloud']) {
      const manifest = require(join(user, 'node_modules', name, 'package.json'));
      const onInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
      assert.deepStrictEqual(
        onInstall.filter((script) => manifest.scripts?.[script]),
        [],
      );
      // npm invents `node-gyp rebuild` for a package with a binding.gyp; either of the two would keep it from that
      assert.strictEqual(manifest.gypfile, false);
      assert.ok(!readdirSync(join(user, 'node_modules', name)).includes('binding.gyp'));
      assert.deepStrictEqual(Object.keys(manifest.dependencies), ['node-gyp-build']);
    }
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
