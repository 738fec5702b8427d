// SPDX-License-Identifier: Apache-2.0

// Node 20 and 22 define Symbol.dispose on the main realm only: in a vm context, such as jest's, it is missing. The
// fallback is the symbol that esbuild and Babel look for there when they compile `using`.

export const dispose: typeof Symbol.dispose = Symbol.dispose ?? (Symbol.for('Symbol.dispose') as typeof Symbol.dispose);

export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose);
