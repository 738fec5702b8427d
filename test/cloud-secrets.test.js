// SPDX-License-Identifier: Apache-2.0

// The fear: a secret key, session token or master key in an error, a warning, a report or the output of util.inspect, from
// where it goes into somebody's log. The servers here are malicious or talkative: they repeat what they are sent.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const http = require('node:http');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const secrets = {
  secretKey: 'secretKeyThatNobodyMaySee000000000000000',
  token: 'sessionTokenThatNobodyMaySee0000000000000000000000000000',
  masterKey: 'c0ffee'.repeat(10).padEnd(64, '7'),
};

/** Answers like a service that can't verify a signature, and others that say even more. */
const answers = {
  signature(request, response) {
    // As AWS words it: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
    const headers = Object.entries(request.headers).map((header) => header.join(':'));
    const canonical = [request.method, request.url, '', ...headers].join('\n');
    const message = `The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this request should have been\n'${canonical}'`;
    response.writeHead(403, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify({ __type: 'InvalidSignatureException', message, Message: message }));
  },
  error(request, response) {
    response.writeHead(500, { 'content-type': 'text/html' });
    response.end(`<html>${JSON.stringify(request.headers)}</html>`);
  },
  nonsense(request, response) {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(request.headers));
  },
  nothing: (_, response) => response.destroy(),
  redirect(request, response) {
    response.writeHead(307, { location: `http://127.0.0.1:1/?${request.headers['x-amz-security-token']}` });
    response.end();
  },
};

describe('secrets', function () {
  this.timeout(120_000);

  let server;
  let folder;
  let output;
  let tokens = 0;
  before(async () => {
    server = http.createServer((request, response) => {
      if (request.headers['x-amz-security-token'] === secrets.token) tokens++;
      request.resume();
      const name = request.url.split('/')[1];
      request.on('end', () => (answers[name] ?? answers.signature)(request, response));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    folder = mkdtempSync(join(tmpdir(), 'asherah-test-'));
    for (const name of ['aws-config', 'credentials']) writeFileSync(join(folder, name), '');
    const options = {
      answers: Object.keys(answers),
      endpoint: `http://127.0.0.1:${server.address().port}`,
      folder,
      ...secrets,
    };
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'))),
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: join(folder, 'aws-config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      ...{ AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: secrets.secretKey, AWS_SESSION_TOKEN: secrets.token },
    };
    const child = spawn(process.execPath, [join(__dirname, 'fixtures/secrets.js'), 'all', JSON.stringify(options)], {
      env,
    });
    output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += text;
      });
    }
    const [code] = await once(child, 'close');
    assert.equal(code, 0, output);
  });
  after(() => {
    server?.closeAllConnections();
    server?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  it('were at hand in every way that this tests', () => {
    assert.ok(tokens > 10, `the token was sent ${tokens} times`);
    assert.match(output, /\ndone\n/);
    for (const expected of [
      /InvalidSignatureException/,
      /HTTP status 500/,
      /HTTP status 307/,
      /the request got no answer/,
      /WARN_ASHERAH_KMS_REGION_FAILED/,
      /ERR_ASHERAH_KMS/,
      /ERR_ASHERAH_METASTORE/,
      /ERR_ASHERAH_INVALID_CONFIG/,
      /ERR_ASHERAH_UNKNOWN_OPTION/,
      /credential_process/,
      /SessionFactory/,
    ]) {
      assert.ok(expected.test(output), `${expected} is not in the output`);
    }
  });

  for (const [name, secret] of Object.entries(secrets)) {
    it(`${name}: is in no error, cause, warning, report or inspected object, in no encoding`, () => {
      const forms = [
        secret,
        encodeURIComponent(secret),
        secret.slice(0, 32), // cut short
        Buffer.from(secret).toString('base64').slice(0, 40),
        Buffer.from(secret).toString('hex').slice(0, 40),
        Buffer.from(secret, 'hex').toString('base64').slice(0, 40),
        [...Buffer.from(secret, 'hex').subarray(0, 8)].map((byte) => byte.toString(16)).join(' '), // <Buffer c0 ff ee
        [...Buffer.from(secret, 'hex').subarray(0, 8)].join(', '),
      ].filter((form) => form.length >= 8);
      for (const form of forms) {
        const at = output.indexOf(form);
        assert.equal(at, -1, `found: ${output.slice(Math.max(0, at - 300), at + form.length)}`);
      }
    });
  }
});
