// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers';
import { types } from 'node:util';
import type { Addon } from './addon.js';
import { describe } from './errors.js';
import type { LogEvent, LogHook, LogLevel, MetricsEvent, MetricsHook } from './hooks.js';
import { type AsherahWarningCode, emitOnce } from './warnings.js';

// Who hears what: the functions of users, the events of the native addons, and the way between them. The engine selects what
// this thread hears at all (go/capi/listeners.go); here each event finds its function.

/** Of each level: the engine's number, and syslog's. */
const levels: Record<LogLevel, { readonly engine: number; readonly syslog: number }> = {
  trace: { engine: 1, syslog: 7 },
  debug: { engine: 2, syslog: 7 },
  info: { engine: 3, syslog: 6 },
  warn: { engine: 4, syslog: 4 },
  error: { engine: 5, syslog: 3 },
};
const nothing = 0;

export function isLogLevel(value: unknown): value is LogLevel {
  return typeof value === 'string' && Object.hasOwn(levels, value);
}

// asherah_listener_watch of src-cpp/asherah.h.
const watchMetrics = 1;
const watchOwnLog = 2;

interface ModuleHooks {
  log: { readonly hook: LogHook; readonly level: LogLevel } | undefined;
  metric: { readonly hook: MetricsHook } | undefined;
}

/** Those that {@link setModuleHook} set. */
const moduleHooks: ModuleHooks = { log: undefined, metric: undefined };

/** Sets the hook of this thread, or removes it and what is queued for it. */
export function setModuleHook<K extends keyof ModuleHooks>(kind: K, hook: ModuleHooks[K]): void {
  if (hook === undefined) {
    for (const listener of listeners.values()) listener.take();
    pending = pending.filter((event) => !(kind in event) || event.watch?.hasOwn(kind));
    if (pending.length > 0) schedule();
  }
  moduleHooks[kind] = hook;
  for (const listener of listeners.values()) listener.update();
}

/** What a factory's configuration says of hooks. */
export interface WatchOptions {
  readonly logHook?: LogHook | undefined;
  /** For `logHook`; default `'warn'`. */
  readonly logLevel?: LogLevel | undefined;
  /** From `debug` on: to `logHook`, or the module-level hook if that has one parameter, or as lines to stderr if there is none. */
  readonly verbose?: boolean | undefined;
  readonly metricsHook?: MetricsHook | undefined;
}

/**
 * What one factory's hooks hear. The factory alone holds it: its functions may well refer to the factory, which, when it is
 * forgotten, could otherwise never be collected.
 */
export class FactoryWatch {
  readonly options: WatchOptions;
  readonly #listener: Listener;
  readonly #factory: number;

  constructor(listener: Listener, factory: number, options: WatchOptions) {
    this.#listener = listener;
    this.#factory = factory;
    this.options = options;
  }

  /** Whether events go to a hook of its own. */
  hasOwn(kind: keyof ModuleHooks): boolean {
    return (kind === 'log' ? this.options.logHook : this.options.metricsHook) !== undefined;
  }

  /** The number of the least grave level to hear. */
  level(): number {
    const { logHook, logLevel, verbose } = this.options;
    const own = logHook === undefined ? nothing : levels[logLevel ?? 'warn'].engine;
    const mayBeVerbose = logHook !== undefined || moduleHooks.log === undefined || moduleHooks.log.hook.length < 2;
    if (!verbose || !mayBeVerbose) return own;
    return own === nothing ? levels.debug.engine : Math.min(own, levels.debug.engine);
  }

  /** A line of lib's own about this factory. */
  tellLog(event: LogEvent): void {
    const level = levels[event.level].engine;
    const own = this.level();
    if ((own !== nothing && level >= own) || (!this.hasOwn('log') && moduleHears(level))) {
      later({ log: event, watch: this });
    }
  }

  /** What is queued is still delivered, also where the factory is closed already; nothing after that. */
  close(): void {
    this.#listener.unwatch(this.#factory, this);
  }
}

/** Lets the hooks hear a factory of this thread that was just opened. */
export function watchFactory(addon: Addon, factory: number, options: WatchOptions): FactoryWatch {
  const listener = listenerOf(addon);
  const watch = new FactoryWatch(listener, factory, options);
  listener.watch(factory, watch);
  return watch;
}

/** Lets the module-level hooks hear an addon that this thread has loaded. */
export function hookUp(addon: Addon): void {
  listenerOf(addon).update();
}

/** A line of lib's own, for the module-level hook. */
export function tellLog(event: LogEvent): void {
  if (moduleHears(levels[event.level].engine)) later({ log: event, watch: undefined });
}

function moduleHears(level: number): boolean {
  return moduleHooks.log !== undefined && level >= levels[moduleHooks.log.level].engine;
}

/** The addons of this thread. */
const listeners = new Map<Addon, Listener>();

function listenerOf(addon: Addon): Listener {
  let listener = listeners.get(addon);
  if (listener === undefined) {
    listener = new Listener(addon);
    listeners.set(addon, listener);
  }
  return listener;
}

/** The JSON of takeEvents. */
interface Batch {
  events: ({ factory: number; log: LogEvent } | { factory: number; metric: MetricsEvent })[];
  ended: number[];
  dropped: number;
}

/** This thread's listener to one addon; the native one exists only while there is something to hear. */
class Listener {
  readonly #addon: Addon;
  #number: number | undefined;
  /** Those with something of their own. */
  readonly #watches = new Map<number, WeakRef<FactoryWatch>>();
  /** Closed ones, until they have heard the last of their factory. */
  readonly #ending = new Set<FactoryWatch>();

  constructor(addon: Addon) {
    this.#addon = addon;
  }

  watch(factory: number, watch: FactoryWatch): void {
    const { logHook, metricsHook, verbose } = watch.options;
    if (logHook !== undefined || metricsHook !== undefined || verbose) {
      this.#watches.set(factory, new WeakRef(watch));
    }
    // Also without hooks of its own: now the factory says that it is open.
    if (this.#number === undefined) this.update();
    else this.#select(this.#number, factory, watch);
  }

  unwatch(factory: number, watch: FactoryWatch): void {
    if (this.#number === undefined || this.#watches.get(factory)?.deref() !== watch) return;
    this.#ending.add(watch);
    this.#addon.unwatch(this.#number, factory);
  }

  /** Tells the engine what to select now. */
  update(): void {
    const { log, metric } = moduleHooks;
    if (log === undefined && metric === undefined && this.#watches.size === 0) {
      if (this.#number !== undefined) this.#addon.closeListener(this.#number);
      this.#number = undefined;
      return;
    }
    flushAtExit();
    this.#number ??= this.#addon.openListener(() => {
      this.take();
      deliver();
    });
    const level = log === undefined ? nothing : levels[log.level].engine;
    this.#addon.watch(this.#number, 0, level, metric === undefined ? 0 : watchMetrics);
    for (const [factory, watch] of this.#watches) {
      const open = watch.deref();
      if (open !== undefined) this.#select(this.#number, factory, open);
    }
  }

  #select(number: number, factory: number, watch: FactoryWatch): void {
    const flags = (watch.hasOwn('log') ? watchOwnLog : 0) | (watch.hasOwn('metric') ? watchMetrics : 0);
    this.#addon.watch(number, factory, watch.level(), flags);
  }

  /** Moves what the engine has to {@link pending}. */
  take(): void {
    if (this.#number === undefined) return;
    const text = this.#addon.takeEvents(this.#number);
    if (text === '') return;
    const { events, ended, dropped } = JSON.parse(text) as Batch;
    for (const { factory, ...event } of events) {
      const reference = this.#watches.get(factory);
      const watch = reference?.deref();
      // That of a forgotten factory is nobody else's.
      if (reference === undefined || watch !== undefined) pending.push({ ...event, watch });
    }
    if (dropped > 0) tellDropped(dropped);
    for (const factory of ended) {
      const watch = this.#watches.get(factory)?.deref();
      if (watch !== undefined) this.#ending.delete(watch);
      this.#watches.delete(factory);
    }
    if (ended.length > 0) this.update();
  }
}

function tellDropped(dropped: number): void {
  const code = 'WARN_ASHERAH_EVENTS_DROPPED';
  const message = `${dropped} events were dropped: more than 4096 came before the hooks had heard them`;
  if (moduleHears(levels.warn.engine)) {
    pending.push({ log: { level: 'warn', message, target: 'asherah.hooks', code }, watch: undefined });
  } else {
    emitOnce(code, message);
  }
}

/** On its way to a hook; `watch`, if the factory has one, says to which. */
type Pending = ({ readonly log: LogEvent } | { readonly metric: MetricsEvent }) & {
  readonly watch: FactoryWatch | undefined;
};

let pending: Pending[] = [];
let isScheduled = false;

function later(event: Pending): void {
  flushAtExit();
  pending.push(event);
  schedule();
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(() => {
    isScheduled = false;
    deliver();
  }).unref();
}

/** Calls hooks for what is pending now; what comes about meanwhile waits for the next turn of the event loop. */
function deliver(): void {
  for (let n = pending.length; n > 0; n--) {
    // Anew each time: a hook may have removed one.
    const event = pending.shift();
    if (event === undefined) return;
    if ('log' in event) deliverLog(event.log, event.watch);
    else deliverMetric(event.metric, event.watch);
  }
  if (pending.length > 0) schedule();
}

function deliverLog(event: LogEvent, watch: FactoryWatch | undefined): void {
  const hook = watch?.options.logHook ?? moduleHooks.log?.hook;
  if (hook !== undefined) {
    guarded(hook, () => {
      if (hook.length >= 2)
        return (hook as (level: number, message: string) => void)(levels[event.level].syslog, event.message);
      return (hook as (event: LogEvent) => void)(event);
    });
  } else if (watch?.options.verbose) {
    // A partition may contain what looks like the next line.
    console.error(`asherah-napi ${event.level}: ${event.message.replace(/\p{Cc}/gu, ' ')}`);
  }
}

function deliverMetric(event: MetricsEvent, watch: FactoryWatch | undefined): void {
  const hook = watch?.options.metricsHook ?? moduleHooks.metric?.hook;
  if (hook !== undefined) guarded(hook, () => hook(event));
}

const failedHooks = new WeakSet<object>();

/** What the function throws is a warning, once. */
function guarded(hook: object, call: () => unknown): void {
  const failed = (error: unknown): void => {
    if (failedHooks.has(hook)) return;
    failedHooks.add(hook);
    process.emitWarning(`a log or metrics hook failed, and goes on being called: ${messageOf(error)}`, {
      type: 'AsherahWarning',
      code: 'WARN_ASHERAH_HOOK_FAILED' satisfies AsherahWarningCode,
    });
  };
  try {
    const result = call();
    if (types.isPromise(result)) result.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : describe(error);
  } catch {
    return 'an error that can not be read';
  }
}

let flushes = false;

/** An event queued by the last call of a program is heard too. */
function flushAtExit(): void {
  if (flushes) return;
  flushes = true;
  process.on('exit', () => {
    for (const listener of listeners.values()) listener.take();
    deliver();
  });
}
