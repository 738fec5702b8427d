// SPDX-License-Identifier: Apache-2.0

// What must not compile: the compiler complains about an expected error that does not come.
import { AsherahError, type AsherahErrorCode, Session, SessionFactory, type SessionFactoryConfig } from 'asherah-napi';

const config: SessionFactoryConfig = { serviceName: 's', productId: 'p', kms: 'static', metastore: 'memory' };

// @ts-expect-error required options
new SessionFactory({});
// @ts-expect-error a required option
new SessionFactory({ serviceName: 's', productId: 'p', kms: 'static' });
// @ts-expect-error an unknown option
new SessionFactory({ ...config, colour: true });
// @ts-expect-error neither of the two ways to write names
new SessionFactory({ ServiceName: 's', productId: 'p', kms: 'static', metastore: 'memory' });
// @ts-expect-error an unknown KMS
new SessionFactory({ ...config, kms: 'vault' });
// @ts-expect-error an unknown metastore
new SessionFactory({ ...config, metastore: 'oracle' });
// @ts-expect-error a duration is a number of seconds
new SessionFactory({ ...config, expireAfter: '90d' });
// @ts-expect-error null is no service
new SessionFactory({ ...config, serviceName: null });
// @ts-expect-error a list
new SessionFactory({ ...config, recoveryRegionSuffixes: 'eu' });

const factory = new SessionFactory(config);
// @ts-expect-error a partition is a string
factory.getSession(5);
// @ts-expect-error a partition is required
factory.getSession();
// @ts-expect-error only a factory makes sessions
new Session();

const session = factory.getSession('p');
// @ts-expect-error data is required
session.encrypt();
// @ts-expect-error not data
session.encrypt({});
// @ts-expect-error not data
session.encrypt(null);
// @ts-expect-error not data
session.encrypt([1, 2]);
// @ts-expect-error a record is text, not the object it describes
session.decrypt({ Key: {}, Data: '' });
// @ts-expect-error bytes are not a string
const text: string = session.decrypt('');
// @ts-expect-error a promise is not a string
const record: string = session.encryptAsync('');
// @ts-expect-error an unknown code
const code: AsherahErrorCode = 'ERR_ASHERAH_UNKNOWN';
// @ts-expect-error an unknown code
new AsherahError('ERR_OTHER', 'message');
// @ts-expect-error codes do not change
new AsherahError('ERR_ASHERAH_KMS', 'message').code = 'ERR_ASHERAH_INTERNAL';
// @ts-expect-error another object is no session, whatever methods it has
const other: Session = { ...session };

export { code, other, record, text };
