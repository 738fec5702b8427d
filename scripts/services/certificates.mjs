// SPDX-License-Identifier: Apache-2.0

// A certificate authority for one run and a server certificate for 127.0.0.1 and localhost, both by openssl.

import { chmodSync, chownSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './install.mjs';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** @returns {{ ca: string, certificate: string, key: string }} the files */
export function makeCertificates(folder) {
  const at = (name) => join(folder, name);
  const openssl = (...args) => must('openssl', args, { cwd: folder });
  openssl('req', '-x509', ...KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=asherah-test-ca');
  openssl('req', ...KEY, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const sign = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  openssl('x509', '-req', '-in', 'server.csr', ...sign, '-out', 'server.pem');
  return { ca: at('ca.pem'), certificate: at('server.pem'), key: at('server.key') };
}

/** A copy of the key that only this user can read: PostgreSQL refuses any other. */
export function keyFor(user, key, folder) {
  const copy = join(folder, 'server.key');
  copyFileSync(key, copy);
  chmodSync(copy, 0o600);
  if (user) chownSync(copy, user.uid, user.gid);
  return copy;
}
