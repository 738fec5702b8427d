// SPDX-License-Identifier: Apache-2.0

import { parentPort, workerData } from 'node:worker_threads';
import { open } from '../rivals/index.mjs';
import { prepare, runner, warmUp } from './measure.mjs';

const { contender, size, time, threads } = workerData;
const gate = new Int32Array(workerData.gate);

const rival = await open(contender);
const run = runner(await prepare(rival.sync, 'encrypt', size), 'sync');
const count = await warmUp(run, time / 2, 1, 5); // short batches: all threads are to work all the time that is measured

Atomics.add(gate, 0, 1);
while (Atomics.load(gate, 0) < threads) await new Promise((resolve) => setImmediate(resolve));

const start = performance.now();
let calls = 0;
for (; performance.now() < start + time; calls += count) run(count);
const perSecond = (calls * 1000) / (performance.now() - start);
// A thread that ends at once would leave the rest alone with the machine.
Atomics.add(gate, 1, 1);
while (Atomics.load(gate, 1) < threads) run(1);
rival.close();
parentPort.postMessage(perSecond);
