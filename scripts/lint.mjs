// SPDX-License-Identifier: Apache-2.0

// Formatters and linters of all three languages, over the files that git knows. `--fix` formats instead of complaining.
// C++ has its linter in the build: -Wall -Wextra -Werror.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const fix = process.argv.includes('--fix');
let failed = 0;

function files(...patterns) {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...patterns];
  const listed = spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout.split('\n');
  return listed.filter((file) => file && existsSync(resolve(root, file)));
}

/** Runs one check. `clean` says whether its output means that all is well; by default only the exit code counts. */
function check(name, command, args, { install, clean = () => true } = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  const missing = result.error?.code === 'ENOENT';
  const ok = !missing && result.status === 0 && clean(result.stdout);
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`);
  if (ok) return;
  failed++;
  if (missing) console.log(`     ${command} is missing: ${install}`);
  else console.log((result.stdout + result.stderr).trimEnd());
}

/** A tool of node_modules, started by its own script: no shell, no PATH. */
function packageTool(name, script, args) {
  const path = resolve(root, 'node_modules', script);
  if (existsSync(path)) return check(name, process.execPath, [path, ...args]);
  console.log(`FAIL ${name}\n     node_modules is missing or out of date: run npm ci`);
  failed++;
}

packageTool(
  'biome (TypeScript, JavaScript, JSON)',
  '@biomejs/biome/bin/biome',
  fix ? ['check', '--write', '--colors=off', '.'] : ['ci', '--colors=off', '--error-on-warnings', '.'],
);
packageTool('tsc (strict types)', 'typescript/bin/tsc', ['-p', 'tsconfig.json', '--noEmit']);

// What npm would pack: whether every entry of the manifests leads somewhere, and every kind of import to its own types.
for (const folder of ['.', 'cloud']) {
  packageTool(`publint (${folder}/package.json)`, 'publint/src/cli.js', ['run', folder, '--strict', '--pack', 'npm']);
}
packageTool('are the types wrong (./package.json)', '@arethetypeswrong/cli/dist/index.js', [
  '--pack',
  '.',
  '--no-color',
]);

const cpp = files('*.cc', '*.h');
packageTool('clang-format (C++)', 'clang-format/index.js', [...(fix ? ['-i'] : ['--dry-run', '--Werror']), ...cpp]);

const goFiles = files('*.go');
const install = 'install Go, the release of the toolchain line in go/go.mod: https://go.dev/dl';
check('gofmt', 'gofmt', [fix ? '-w' : '-l', ...goFiles], { install, clean: (listed) => listed === '' });
check('go vet', process.execPath, ['scripts/go.mjs', 'vet', './...']);
check('staticcheck', process.execPath, ['scripts/go.mjs', 'staticcheck', './...']);

console.log(failed ? `${failed} of the checks failed; npm run format mends formatting` : 'all checks passed');
process.exit(failed ? 1 : 0);
