// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Addon } from './addon.js';
import { AsherahError } from './errors.js';
import { markLoaded } from './mapped.js';
import { version } from './version.js';

const packageRoot = join(__dirname, '..');

/** @throws AsherahError `ERR_ASHERAH_LOAD_FAILED` */
export function requireCore(): Addon {
  return checked('asherah-napi', () => {
    const file = usualFile();
    // node-gyp-build finds every other build; to load it and have it look around takes as long as all the rest of the start.
    return file === undefined ? require('node-gyp-build')(packageRoot) : require(file);
  });
}

/** @throws AsherahError `ERR_ASHERAH_LOAD_FAILED` */
export function requireCloud(option: string): Addon {
  return checked('asherah-napi-cloud', () => require('asherah-napi-cloud'), option);
}

/** The file of the core addon, without loading it; `undefined`: there is none for this platform. */
export function coreFile(): string | undefined {
  try {
    return usualFile() ?? require('node-gyp-build').resolve(packageRoot);
  } catch {
    return undefined;
  }
}

/** Where the addon nearly always is, in the order of node-gyp-build; `undefined`: it has to be looked for. */
function usualFile(): string | undefined {
  if (process.env.PREBUILDS_ONLY || process.env.ASHERAH_NAPI_PREBUILD) return undefined;
  const libc = process.platform === 'linux' ? '.glibc' : '';
  const folders = ['build/Release/asherah-core', `prebuilds/${process.platform}-${process.arch}/asherah-core${libc}`];
  const found = folders.map((path) => join(packageRoot, `${path}.node`)).find((path) => existsSync(path));
  return found !== undefined && libc !== '' && existsSync('/etc/alpine-release') ? undefined : found;
}

function checked(packageName: string, load: () => Addon, option = ''): Addon {
  let addon: Addon;
  try {
    addon = load();
  } catch (cause) {
    throw new AsherahError('ERR_ASHERAH_LOAD_FAILED', whyNot(packageName, option, cause), { cause });
  }
  if (addon.version !== version) {
    throw new AsherahError(
      'ERR_ASHERAH_LOAD_FAILED',
      `addon: expected version ${version}, that of asherah-napi, got ${addon.version} from ${packageName}. ` +
        'Install both packages in one version, or in a checkout run `npm run build`.',
    );
  }
  markLoaded();
  return addon;
}

function whyNot(packageName: string, option: string, cause: unknown): string {
  const { code, message } = cause as { code?: unknown; message?: unknown };
  const isCloud = packageName === 'asherah-napi-cloud';
  const needs = isCloud ? `${option === '' ? 'the cloud addon' : option} needs the package asherah-napi-cloud: ` : '';
  if (isCloud && code === 'MODULE_NOT_FOUND' && String(message).includes(packageName)) {
    return (
      `addon: ${needs}expected it to be installed, got none. It is an optional dependency: install without ` +
      '`--omit=optional`, or by `npm install asherah-napi-cloud@' +
      version +
      '`, or configure what needs no server ' +
      "(kms 'static', metastore 'sqlite')."
    );
  }
  return (
    `addon: ${needs}expected a native build for ${process.platform}-${process.arch} that loads, got an error (see its cause). ` +
    remedy()
  );
}

function remedy(): string {
  // Go's runtime can't live in a library that musl loads late, so there is no build to look for.
  if (process.platform === 'linux' && !hasGlibc()) {
    return 'This system uses musl (Alpine?), where the addon does not run: use a glibc image, such as node:24-slim.';
  }
  return (
    'Install the package again on this machine (node_modules of another platform do not fit), ' +
    'or in a checkout run `npm run build`, which needs Go, CMake and a C++17 compiler.'
  );
}

function hasGlibc(): boolean {
  const report = process.report?.getReport() as unknown as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header === undefined || report.header.glibcVersionRuntime !== undefined;
}
