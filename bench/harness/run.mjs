// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const TRIAL = fileURLToPath(new URL('./trial.mjs', import.meta.url));

/** One trial in a process of its own. */
export function trial(node, request) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['--no-warnings', '--expose-gc', TRIAL, JSON.stringify(request)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out = [];
    const err = [];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const text = Buffer.concat(out).toString();
      if (code === 0) return resolve(JSON.parse(text));
      const { name } = request.contender;
      reject(new Error(`${name}, ${request.kind}: ended by ${signal ?? `exit code ${code}`}\n${Buffer.concat(err)}`));
    });
  });
}

/**
 * Interleaves: every job once, then every job once more in the opposite order, so that what else the machine does, and what
 * the trial before has left behind, meets all alike. A job that its contender has no such calls for is `absent` and not
 * asked again.
 * @returns the jobs, each with `results`, one for each trial
 */
export async function rounds(title, node, jobs, trials) {
  const running = jobs.map((job) => ({ ...job, results: [] }));
  for (let round = 1; round <= trials; round++) {
    console.error(`bench: ${title}, round ${round} of ${trials}`);
    for (const job of round % 2 ? running : running.toReversed()) {
      if (job.absent) continue;
      const result = await trial(node, job);
      if (result.absent) job.absent = true;
      else job.results.push(result);
    }
  }
  return running.filter((job) => !job.absent);
}
