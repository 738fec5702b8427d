// SPDX-License-Identifier: Apache-2.0
// Encrypts files record by record, then lets a second process prove that every byte came back. Start reading here.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HELP, parseArguments, UsageError } from './arguments.mjs';
import { encryptInputs } from './encrypt.mjs';
import { verifyOutputs } from './verify.mjs';

// Documented in --help.
const EXIT = { OK: 0, FAILED: 1, USAGE: 2, DIFFERS: 3 };

async function main() {
  const options = parseArguments(process.argv.slice(2));
  if (options.help) {
    console.log(HELP);
    return EXIT.OK;
  }
  if (options.verify) {
    const { failed, differs } = await verifyOutputs(options);
    return differs > 0 ? EXIT.DIFFERS : failed > 0 ? EXIT.FAILED : EXIT.OK;
  }
  const { failed } = await encryptInputs(options);

  // A second process shares nothing with this one but the folder: no cached key, no plaintext.
  console.log('\nVerifying in a second process:');
  const self = fileURLToPath(import.meta.url);
  const verifier = spawnSync(process.execPath, [self, '--verify', '--out', options.out], { stdio: 'inherit' });
  if (verifier.error) throw verifier.error;
  if (verifier.signal) throw new Error(`the verifying process was ended by ${verifier.signal}`);
  if (verifier.status !== EXIT.OK) return verifier.status;
  return failed > 0 ? EXIT.FAILED : EXIT.OK;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    const code = error.code ? `${error.code}: ` : '';
    console.error(`demo: ${error.message.startsWith(code) ? '' : code}${error.message}`);
    if (error instanceof UsageError) console.error('Try: npm run demo -- --help');
    process.exitCode = error instanceof UsageError ? EXIT.USAGE : EXIT.FAILED;
  },
);
