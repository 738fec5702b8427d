// SPDX-License-Identifier: Apache-2.0

// What must compile, from an ES module, and then run.
import { AsherahError, type Session, SessionFactory, type SessionFactoryConfig } from 'asherah-napi';

const config: SessionFactoryConfig = {
  serviceName: 'service',
  productId: 'product',
  kms: 'test-debug-static',
  metastore: 'test-debug-memory',
  onWarning: () => {},
};

using factory = new SessionFactory(config);
await using session: Session = factory.getSession('partition');
const error: Error = new AsherahError('ERR_ASHERAH_KMS', 'for an application under test', { cause: session });
console.log(session.decryptString(await session.encryptAsync('ran')), error.name);
