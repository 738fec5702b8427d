// SPDX-License-Identifier: Apache-2.0
// The demo as a stranger runs it: a child process, files of theirs, and what they might do wrong.
const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { SessionFactory } = require('asherah-napi');

const DEMO = path.join(__dirname, '..', 'examples', 'demo', 'demo.mjs');
const posix = process.platform !== 'win32';

describe('demo', function () {
  this.timeout(120_000);
  let folder;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'asherah-demo-'));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  const environment = () => {
    const env = { ...process.env };
    // `npm test` sets these for its own folder; the demo must see those of the person who typed the command.
    delete env.INIT_CWD;
    delete env.npm_lifecycle_event;
    return env;
  };

  const demo = (args, nodeArgs = []) => {
    const child = spawnSync(process.execPath, [...nodeArgs, DEMO, ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: environment(),
    });
    assert.strictEqual(child.signal, null, child.stderr);
    return { code: child.status, out: child.stdout, err: child.stderr, all: child.stdout + child.stderr };
  };

  const succeeds = (args, nodeArgs) => {
    const run = demo(args, nodeArgs);
    assert.strictEqual(run.code, 0, run.all);
    assert.match(run.out, /Every byte came back/);
    return run;
  };

  const write = (name, data) => {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, data);
    return file;
  };

  const linesOf = (output) =>
    fs
      .readFileSync(path.join(folder, output), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));

  const openStore = (out) =>
    new SessionFactory({
      serviceName: 'demo',
      productId: 'asherah-napi',
      kms: 'static',
      staticMasterKeyHex: fs.readFileSync(path.join(folder, out, 'master.key'), 'latin1').trim(),
      metastore: 'sqlite',
      connectionString: path.join(folder, out, 'keys.sqlite'),
    });

  it('runs without arguments on its sample', () => {
    const { out } = succeeds([]);
    assert.match(out, /files +3\n/);
    assert.match(out, /rotations +0\n/);
    const tenants = new Set(linesOf('asherah-demo/sample/customers.csv.jsonl').map((line) => line.partition));
    assert.ok(tenants.has('acme') && tenants.has('東京商事'), [...tenants].join());
  });

  it('loses no byte of awkward files', () => {
    const inputs = {
      'empty.txt': '',
      'one-line-no-end.txt': 'no line end',
      'crlf.txt': 'a\r\nb\r\n\r\nc',
      'old-mac.txt': 'a\rb\rc',
      'only-ends.txt': '\n\n\r\n\n',
      'invalid-utf8.txt': Buffer.from([0x61, 0xff, 0xfe, 0x0a, 0xc3, 0x28, 0x0a, 0xed, 0xa0, 0x80]),
      'utf16.txt': Buffer.from('\ufeffwide\r\ntext', 'utf16le'),
      'separators.txt': 'a\u2028b\u2029c\u0085\n',
      'long-line.txt': Buffer.concat([Buffer.alloc(5_000_000, 'x'), Buffer.from('\nend')]),
      'binary.bin': Buffer.concat([Buffer.alloc(3), randomBytes(300_000)]),
      'plain.csv': '\ufeffid,tenant\r\n1,"a\r\nb"\r\n\r\n2,"say ""x"""\n3, é \r\n',
      'sub/empty.txt': 'another of that name',
      'sub/deep/ünï "quoted".txt': 'text',
    };
    for (const [name, data] of Object.entries(inputs)) write(`in/${name}`, data);
    const { out } = succeeds(['--out', 'out', 'in', path.join('in', 'sub', 'empty.txt')]);
    assert.match(out, new RegExp(`files +${Object.keys(inputs).length}\n`), 'each file once');

    // Not by the demo's word alone: the records, decrypted here, are the files.
    const factory = openStore('out');
    try {
      for (const [name, data] of Object.entries(inputs)) {
        const lines = linesOf(`out/in/${name}.jsonl`);
        const { summary } = lines.pop();
        assert.strictEqual(summary.records, lines.length);
        const pieces = lines.map(({ partition, record }) => {
          assert.strictEqual(partition, path.basename(name));
          const session = factory.getSession(partition);
          const piece = session.decrypt(JSON.stringify(record));
          session.close();
          return piece;
        });
        assert.ok(Buffer.concat(pieces).equals(Buffer.from(data)), name);
      }
    } finally {
      factory.close();
    }
  });

  it('takes partitions from a CSV column, whatever is quoted, and keeps each row as it was written', () => {
    const rows = [
      'id,tenant,note\r\n',
      '1,acme,"two\r\nlines"\r\n',
      '2,"glo""bex", spaced \r\n',
      '\r\n3,acme,é',
      '\n\n',
    ];
    write('customers.CSV', rows.join(''));
    write('notes.txt', 'tenant,of\nnobody\n');
    succeeds(['--out', 'out', '--partition-column', 'tenant', 'customers.CSV', 'notes.txt']);
    const lines = linesOf('out/customers.CSV.jsonl').filter((line) => !line.summary);
    assert.deepStrictEqual(
      lines.map((line) => line.partition),
      ['customers.CSV', 'acme', 'glo"bex', 'acme', 'customers.CSV'],
    );
    const factory = openStore('out');
    const session = factory.getSession('acme');
    assert.strictEqual(session.decryptString(JSON.stringify(lines[1].record)), rows[1]);
    factory.close();
  });

  it('says which CSV row has no partition, and does the other files', () => {
    write('in/a.csv', 'id,tenant\n1,acme\n2,\n');
    write('in/b.csv', 'id,owner\n1,acme\n');
    write('in/c.csv', 'id,tenant\n1,"ac"me\n');
    write('in/e.csv', Buffer.from('id,tenant\n1,acme\n', 'utf16le'));
    write('in/d.csv', 'id,tenant\n1,acme\n');
    const { code, err } = demo(['--out', 'out', '--partition-column', 'tenant', 'in']);
    assert.strictEqual(code, 1);
    assert.match(err, /a\.csv: line 3: column 'tenant' is empty/);
    assert.match(err, /b\.csv: no column 'tenant' in the header, it has: id, owner/);
    assert.match(err, /e\.csv: a table with NUL bytes/);
    assert.match(err, /c\.csv: .*at line 2/);
    assert.deepStrictEqual(fs.readdirSync(path.join(folder, 'out', 'in')), ['d.csv.jsonl']);
  });

  it('gives two inputs of one name two outputs, and the same ones when run again', () => {
    write('a/x.txt', 'from a\n');
    write('b/x.txt', 'from b\n');
    for (let run = 0; run < 2; run++) {
      succeeds(['--out', 'out', 'a/x.txt', 'b/x.txt']);
      assert.deepStrictEqual(
        fs.readdirSync(path.join(folder, 'out')).filter((name) => name.endsWith('.jsonl')),
        ['x.txt-2.jsonl', 'x.txt.jsonl'],
      );
    }
    // Also in another run: nobody's records are overwritten by a stranger of the same name.
    write('c/x.txt', 'from c\n');
    succeeds(['--out', 'out', 'c/x.txt']);
    assert.ok(fs.existsSync(path.join(folder, 'out', 'x.txt-3.jsonl')));
  });

  it('walks folders with loops of links, leaves its own output out, and reports what it cannot read', function () {
    if (!posix) this.skip();
    write('in/a.txt', 'a\n');
    fs.symlinkSync('..', path.join(folder, 'in', 'loop'));
    fs.symlinkSync('a.txt', path.join(folder, 'in', 'same.txt'));
    fs.symlinkSync('nowhere', path.join(folder, 'in', 'dangling'));
    fs.mkdirSync(path.join(folder, 'in', 'out'));
    for (let run = 0; run < 2; run++) {
      const { code, out, err } = demo(['--out', 'in/out', 'in']);
      assert.strictEqual(code, 1);
      assert.match(err, /left out .*dangling: the link leads nowhere/);
      assert.match(out, /files +1, 1 left out\n/);
    }
  });

  it('reads paths from where the user stands when npm runs it', () => {
    write('here/a.txt', 'a\n');
    const here = path.join(folder, 'here');
    const env = { ...environment(), INIT_CWD: here, npm_lifecycle_event: 'demo' };
    const child = spawnSync(process.execPath, [DEMO, 'a.txt'], { cwd: folder, encoding: 'utf8', env });
    assert.strictEqual(child.status, 0, child.stderr);
    assert.ok(fs.existsSync(path.join(here, 'asherah-demo', 'a.txt.jsonl')));
  });

  describe('the master key', () => {
    const key = () => path.join(folder, 'out', 'master.key');

    it('is random, readable by its owner only, and never overwritten', () => {
      write('a.txt', 'a\n');
      succeeds(['--out', 'out', 'a.txt']);
      const before = fs.readFileSync(key(), 'latin1');
      assert.match(before, /^[0-9a-f]{64}\n$/);
      if (posix) assert.strictEqual(fs.statSync(key()).mode & 0o777, 0o600);
      succeeds(['--out', 'out', 'a.txt']);
      assert.strictEqual(fs.readFileSync(key(), 'latin1'), before);
      succeeds(['--out', 'other', 'a.txt']);
      assert.notStrictEqual(fs.readFileSync(path.join(folder, 'other', 'master.key'), 'latin1'), before);
    });

    it('is refused when others may read it', function () {
      if (!posix) this.skip();
      write('a.txt', 'a\n');
      succeeds(['--out', 'out', 'a.txt']);
      for (const mode of [0o640, 0o604, 0o660]) {
        fs.chmodSync(key(), mode);
        for (const args of [['a.txt'], ['--verify']]) {
          const { code, err } = demo(['--out', 'out', ...args]);
          assert.strictEqual(code, 1);
          assert.match(err, /others may read the master key .*chmod 600/);
        }
      }
    });

    it('is not replaced when it is gone, cut or foreign', () => {
      write('a.txt', 'a\n');
      succeeds(['--out', 'out', 'a.txt']);
      const right = fs.readFileSync(key(), 'latin1');
      fs.rmSync(key());
      assert.match(demo(['--out', 'out', 'a.txt']).err, /master\.key is gone/);
      assert.ok(!fs.existsSync(key()));
      fs.writeFileSync(key(), right.slice(0, 20), { mode: 0o600 });
      const cut = demo(['--out', 'out', 'a.txt']);
      assert.match(cut.err, /is no master key: it must hold 64 hexadecimal digits/);
      assert.ok(!cut.all.includes(right.slice(0, 20)), 'the message holds no key material');
      fs.writeFileSync(key(), `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
      const foreign = demo(['--out', 'out', '--verify']);
      assert.strictEqual(foreign.code, 1);
      assert.match(foreign.err, /FAILED a\.txt\.jsonl/);
    });
  });

  describe('verification', () => {
    let output;
    beforeEach(() => {
      write('a.txt', 'one\ntwo\nthree\n');
      write('b.txt', 'b\n');
      succeeds(['--out', 'out', 'a.txt', 'b.txt']);
      output = path.join(folder, 'out', 'a.txt.jsonl');
    });

    const change = (edit) => {
      const lines = fs.readFileSync(output, 'utf8').trimEnd().split('\n');
      fs.writeFileSync(output, `${(edit(lines) ?? lines).join('\n')}\n`);
      return demo(['--out', 'out', '--verify']);
    };

    it('passes again by hand', () => {
      const { code, out } = demo(['--out', 'out', '--verify']);
      assert.strictEqual(code, 0);
      assert.match(out, /Every byte came back: 2 files, 4 records, 16 bytes\./);
    });

    it('sees a lost record', () => {
      const { code, err } = change((lines) => void lines.splice(1, 1));
      assert.strictEqual(code, 3);
      assert.match(err, /DIFFERS a\.txt\.jsonl: records 2, was 3/);
    });

    it('sees swapped records', () => {
      const { code, err } = change((lines) => [lines[1], lines[0], ...lines.slice(2)]);
      assert.strictEqual(code, 3);
      assert.match(err, /DIFFERS a\.txt\.jsonl: sha256/);
    });

    it('sees a changed bit and a record of another partition', () => {
      const flipped = change((lines) => {
        lines[0] = lines[0].replace(/"Data":"(.)/, (_, c) => `"Data":"${c === 'A' ? 'B' : 'A'}`);
      });
      assert.strictEqual(flipped.code, 1);
      assert.match(flipped.err, /FAILED a\.txt\.jsonl/);
      const moved = change((lines) => {
        lines[0] = lines[0].replace('{"partition":"a.txt"', '{"partition":"b.txt"');
      });
      assert.strictEqual(moved.code, 1);
    });

    it('sees that a file is not whole', () => {
      const { code, err } = change((lines) => lines.slice(0, -1));
      assert.strictEqual(code, 1);
      assert.match(err, /FAILED a\.txt\.jsonl: not whole/);
    });

    it('tells an input that changed since from a difference', () => {
      write('a.txt', 'something else');
      fs.rmSync(path.join(folder, 'b.txt'));
      const { code, out } = demo(['--out', 'out', '--verify']);
      assert.strictEqual(code, 0);
      assert.match(out, /note +a\.txt\.jsonl: the input has changed since/);
      assert.match(out, /note +b\.txt\.jsonl: the input cannot be read now \(ENOENT\)/);
    });

    it('says when there is nothing', () => {
      const { code, err } = demo(['--out', 'elsewhere', '--verify']);
      assert.strictEqual(code, 1);
      assert.match(err, /nothing was encrypted there/);
    });
  });

  it('rotates keys that live shortly, and still reads everything', () => {
    write('a.txt', 'a\n');
    succeeds(['--out', 'out', '--expire-after', '1', 'a.txt']);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
    write('b/a.txt', 'b\n');
    const { out } = succeeds(['--out', 'out', '--expire-after', '1', 'b/a.txt']);
    assert.match(out, /key rows +4 in the store\n +rotations +2\n/);
  });

  it('leaves no half file that looks whole when it is killed', async () => {
    write('big.txt', Buffer.alloc(60_000_000, 'a line of text, thirty-two bytes\n'));
    const child = spawn(process.execPath, [DEMO, '--out', 'out', 'big.txt'], { cwd: folder, env: environment() });
    const partial = path.join(folder, 'out', 'big.txt.jsonl.partial');
    const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    while (!(fs.existsSync(partial) && fs.statSync(partial).size > 1_000_000)) {
      assert.strictEqual(child.exitCode, null, 'the demo ended before it could be killed');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill('SIGKILL');
    assert.strictEqual(await ended, posix ? 'SIGKILL' : 'SIGTERM');
    assert.deepStrictEqual(
      fs.readdirSync(path.join(folder, 'out')).filter((name) => name.endsWith('.jsonl')),
      [],
    );
    write('big.txt', 'short now\n');
    succeeds(['--out', 'out', 'big.txt']);
    assert.ok(!fs.existsSync(partial));
  });

  it('needs no more memory for a big file than for a small one', function () {
    if (process.platform !== 'linux') this.skip();
    const hook = write(
      'peak.cjs',
      `process.on('exit', () => process._rawDebug('peak ' + process.resourceUsage().maxRSS));`,
    );
    const peaks = (size) => {
      write('data.txt', Buffer.alloc(size / 5, 'a line of some words, of the length that lines of a log may have.\n'));
      write('data.bin', Buffer.alloc(size));
      const { err } = succeeds(['--out', `out-${size}`, 'data.txt', 'data.bin'], ['--require', hook]);
      return Number(/peak (\d+)/.exec(err)[1]) / 1024;
    };
    const small = peaks(1_000_000);
    const big = peaks(80_000_000);
    assert.ok(big - small < 90, `${small} MiB for 1.2 MB, ${big} MiB for 96 MB`);
  });

  it('prints plain lines on a pipe', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal codes are what is looked for
    assert.doesNotMatch(succeeds([]).all, /[\x1b\r]/);
  });

  describe('wrong arguments end with 2 and one clear line, and nothing is written:', () => {
    const wrong = [
      [['--colour'], /Unknown option '--colour'/],
      [['missing.txt'], /no such file or folder: .*missing\.txt/],
      [['--block-size', '0', '.'], /--block-size must be an integer from 1 to 16777216, got '0'/],
      [['--block-size', '1e3', '.'], /--block-size must be an integer/],
      [['--expire-after=-1', '.'], /--expire-after must be an integer/],
      [['--partition-column', 'tenant', '.'], /--partition-column is for .csv and .tsv files/],
      [['--out', '', '.'], /--out must not be empty/],
      [['--verify', 'a.txt'], /--verify reads the folder of --out and takes no files/],
      [['--verify', '--block-size', '1'], /--block-size has no meaning with --verify/],
    ];
    for (const [args, message] of wrong) {
      it(args.join(' '), () => {
        const { code, err } = demo(args);
        assert.strictEqual(code, 2, err);
        const [first, second, ...rest] = err.split('\n');
        assert.match(first, message);
        assert.match(second, /--help/);
        assert.deepStrictEqual(rest, ['']);
        assert.deepStrictEqual(fs.readdirSync(folder), []);
      });
    }
  });
});
