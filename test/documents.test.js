// SPDX-License-Identifier: Apache-2.0
// The fear: documents that were true once. Their JavaScript runs; what they name exists.
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
const built = new Set(['.git', 'build', 'dist', 'node_modules', 'testdata']);

/** All files below a folder, as relative paths with slashes. */
function list(folder = '') {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return built.has(entry.name) ? [] : [name, ...list(name)];
    return [name];
  });
}

const files = list();
const documents = files.filter((name) => name.endsWith('.md'));
const basenames = new Set(files.map((name) => path.posix.basename(name)));
const rooms = new Set(files.filter((name) => name.includes('/')).map((name) => name.split('/')[0]));
const read = (name) => fs.readFileSync(path.join(root, name), 'utf8');

/** {language, text, line} of each fenced block. */
function blocks(name) {
  return [...read(name).matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)].map((match) => ({
    language: match[2],
    text: match[3],
    line: match.input.slice(0, match.index).split('\n').length,
  }));
}

/** The document without its fenced blocks, which hold examples rather than names. */
const prose = (name) => read(name).replace(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm, '');

const shell = (name) =>
  blocks(name)
    .filter(({ language }) => language === 'sh')
    .map(({ text }) => text)
    .join('\n');

/** The id that GitHub gives a heading. */
const slug = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');

const headings = (name) => [...prose(name).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading));

const matches = (pattern) => {
  if (!pattern.includes('*')) return files.includes(pattern);
  const expression = new RegExp(`^${pattern.replace(/[.+]/g, '\\$&').replace(/\*/g, '[^/]*')}$`);
  return files.some((name) => expression.test(name));
};

describe('documents', () => {
  it('are found', () => {
    for (const name of ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'docs/design.md', 'docs/security.md']) {
      assert.ok(documents.includes(name), name);
    }
  });

  describe('JavaScript in them runs:', () => {
    let folder;
    before(() => {
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'asherah-documents-'));
      fs.mkdirSync(path.join(folder, 'node_modules'));
      fs.symlinkSync(root, path.join(folder, 'node_modules', 'asherah-napi'), 'junction');
    });
    after(() => fs.rmSync(folder, { recursive: true, force: true }));

    const names = ['js', 'javascript', 'mjs', 'cjs', 'ts', 'typescript', 'jsx', 'tsx'];
    let count = 0;
    for (const name of documents) {
      for (const { language, text, line } of blocks(name).filter(({ language }) => names.includes(language))) {
        count++;
        it(`${name}:${line}`, function () {
          this.timeout(30_000);
          assert.ok(language === 'js', `write \`\`\`js, which is run, instead of \`\`\`${language}`);
          const file = path.join(folder, `${count}.${/^import /m.test(text) ? 'mjs' : 'cjs'}`);
          fs.writeFileSync(file, text);
          const env = { ...process.env, MASTER_KEY_HEX: randomBytes(32).toString('hex') };
          const cwd = fs.mkdtempSync(path.join(folder, 'run-'));
          const child = spawnSync(process.execPath, [file], { cwd, env, encoding: 'utf8', timeout: 20_000 });
          assert.strictEqual(child.status, 0, child.stderr);
          // A warning in an example is advice against itself.
          assert.strictEqual(child.stderr, '');
          for (const [, shown] of text.matchAll(/console\.log\(.*\); \/\/ prints (.*)$/gm)) {
            assert.ok(child.stdout.split('\n').includes(shown), `prints ${child.stdout}, not ${shown}`);
          }
        });
      }
    }
    it('is there at all', () => assert.ok(count >= 2));
  });

  it('link only to what exists', () => {
    const broken = [];
    for (const name of documents) {
      for (const [, target] of prose(name).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [file, anchor] = target.split('#');
        const linked = file === '' ? name : path.posix.join(path.posix.dirname(name), file).replace(/\/$/, '');
        const exists = files.includes(linked);
        if (!exists || (anchor && !headings(linked).includes(anchor))) broken.push(`${name}: ${target}`);
      }
    }
    assert.deepStrictEqual(broken, []);
  });

  it('name only files that exist', () => {
    const missing = [];
    for (const name of documents.filter((name) => name !== 'CHANGELOG.md')) {
      const quoted = [...prose(name).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text);
      const typed = shell(name)
        .split(/[\s()&|;]+/)
        .filter((word) => !word.startsWith('.'));
      for (const text of [...quoted, ...typed]) {
        // A path from the root or from the document's folder; a bare name may be that of any file.
        if (!/^[\w.*-]+(\/[\w.*-]+)*\/?$/.test(text)) continue;
        const named = text.replace(/\/$/, '');
        const [room] = named.split('/');
        if (text.includes('/') ? !rooms.has(room) : !/\.(md|m?js|cjs|m?ts|cc|h|go|gyp|txt)$/.test(named)) continue;
        const here = path.posix.join(path.posix.dirname(name), named);
        const exists = text.includes('/') ? matches(named) || matches(here) : basenames.has(named);
        if (!exists) missing.push(`${name}: ${text}`);
      }
    }
    assert.deepStrictEqual(missing, []);
  });

  it('name only npm scripts that exist', () => {
    const missing = [];
    const own = (name) => (name.startsWith('bench/') ? JSON.parse(read('bench/package.json')).scripts : undefined);
    for (const name of documents) {
      for (const [, script] of read(name).matchAll(/npm run (?:--silent )?([\w:-]+)/g)) {
        if (!(script in scripts) && !(script in (own(name) ?? {}))) missing.push(`${name}: npm run ${script}`);
      }
    }
    assert.deepStrictEqual(missing, []);
  });

  it('hold no path of one machine', () => {
    const found = documents.filter((name) => /(^|[\s`("'])\/(home|root|tmp|work|Users)\//m.test(read(name)));
    assert.deepStrictEqual(found, []);
  });
});
