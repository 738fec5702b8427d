// SPDX-License-Identifier: Apache-2.0

// A program of version 4, CommonJS, in the two styles of its quick start; with the key in the environment, which there only
// fromEnv read.

const asherah = require('asherah');
const { SessionFactory, AsherahSession, clearPlaintext } = require('asherah');

process.env.STATIC_MASTER_KEY_HEX = '22'.repeat(32);
const config = { serviceName: 'my-service', productId: 'my-product', metastore: 'memory', kms: 'static' };

asherah.setup(config);
console.log('module:', asherah.decryptString('user-1', asherah.encryptString('user-1', 'secret')));
asherah.shutdown();
asherah.shutdown();

const factory = new SessionFactory(config);
const session = factory.getSession('user-1');
try {
  const plaintext = session.decrypt(session.encrypt(Buffer.from('secret')));
  console.log('session:', plaintext.toString(), session instanceof AsherahSession);
  clearPlaintext(plaintext);
  console.log('wiped:', plaintext.toString('hex'));
} finally {
  session.close();
  factory.close();
}

Object.assign(process.env, { SERVICE_NAME: 'my-service', PRODUCT_ID: 'my-product', KMS: 'static' });
const fromEnv = SessionFactory.fromEnv();
console.log(
  'from the environment:',
  JSON.parse(fromEnv.getSession('user-1').encryptString('')).Key.ParentKeyMeta.KeyId,
);
fromEnv.close();
