// SPDX-License-Identifier: Apache-2.0
const { spawn } = require('node:child_process');
const path = require('node:path');

/**
 * Starts target.js.
 * @param {{cwd?: string, shell?: string}} options shell: commands that come first, in the same process
 * @returns {{pid: number, tell: (action: string, argument?: object) => Promise<any>, end: (signal: string) => Promise<void>}}
 */
function start({ cwd, shell } = {}) {
  const command = [process.execPath, path.join(__dirname, 'target.js')];
  const [file, ...args] = shell ? ['/bin/sh', '-c', `${shell}; exec "$@"`, 'sh', ...command] : command;
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  return {
    pid: child.pid,
    tell: (action, argument = {}) =>
      new Promise((resolve, reject) => {
        exited.then((end) => reject(new Error(`the target ended with ${end}`)));
        child.once('message', ({ result, error }) => {
          if (error) reject(new Error(`in the target: ${error}`));
          else resolve(result);
        });
        child.send({ action, ...argument });
      }),
    end: async (signal) => {
      child.kill(signal);
      return await exited;
    },
  };
}

module.exports = { start };
