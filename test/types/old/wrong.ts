// SPDX-License-Identifier: Apache-2.0

// What must not compile: the compiler complains about an expected error that does not come.
import asherah, { type AsherahConfig, type AsherahConfigCompat, SessionFactory, setup } from 'asherah';

const camel = { serviceName: 's', productId: 'p', kms: 'static', metastore: 'memory' } as const;
const pascal = { ServiceName: 's', ProductID: 'p', KMS: 'static', Metastore: 'memory' } as const;

setup(camel);
setup(pascal);
new SessionFactory(pascal);

// @ts-expect-error misspelt in camelCase
setup({ ...camel, expireAfer: 60 });
// @ts-expect-error misspelt in PascalCase
setup({ ...pascal, ExpireAfer: 60 });
// @ts-expect-error misspelt and annotated
const one: AsherahConfig = { ...camel, checkIntervall: 60 };
// @ts-expect-error misspelt and annotated
const two: AsherahConfigCompat = { ...pascal, RegionsMap: {} };
// @ts-expect-error ProductId is productId or ProductID
new SessionFactory({ ServiceName: 's', ProductId: 'p', KMS: 'static', Metastore: 'memory' });
// @ts-expect-error no product
setup({ ServiceName: 's', Metastore: 'memory' });
// @ts-expect-error no service
const three: AsherahConfig = { productId: 'p', kms: 'static', metastore: 'memory' };
// @ts-expect-error a number
setup({ ...camel, expireAfter: '90d' });
// @ts-expect-error a number
setup({ ...pascal, ExpireAfter: '90d' });
// @ts-expect-error yes or no
setup({ ...camel, verbose: 'yes' });
// @ts-expect-error an unknown KMS
setup({ ...camel, kms: 'vaultt' });

// @ts-expect-error a partition comes first
asherah.encrypt(Buffer.from('x'));
// @ts-expect-error data is not an object
asherah.encryptString('p', {});
// @ts-expect-error bytes are no string
const text: string = asherah.decrypt('p', '');
// @ts-expect-error a promise is no record
const record: string = asherah.encrypt_async('p', '');
// @ts-expect-error a hook is a function
asherah.setLogHook('console');
// @ts-expect-error metrics come as one object
asherah.setMetricsHook((type: string, durationNs: number) => [type, durationNs]);
// @ts-expect-error a name of no version
asherah.setLogHookSync(null);

export { one, record, text, three, two };
