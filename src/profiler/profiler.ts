// startProfiler and what it returns. One profiler a process; the thread that starts it owns it: it ends with that thread at the latest.
//
// On the owner's thread: the start (engine, Worker of the encoder), the calls a user makes, and the exit listener, which waits for the last profile to be
// written, with a limit. Everything else happens on our own threads. Until stop() is done an ending process still waits for the last profile: exit() or a
// signal right behind a stop() that nobody awaits loses nothing.

import { join } from 'node:path';
import { isMainThread, threadId, type Worker } from 'node:worker_threads';
import { StrobeError } from '../errors';
import { wantsTimes } from '../export/file';
import { prepareExporter } from '../export/prepare';
import { sharedStats } from '../export/stats';
import { loadNative, type NativeAddon, type NativeStats, type StartTimings } from '../native';
import { beforeExecve } from './execve';
import { asStrobeError, encoderRefused, notRunning, sayAtExit } from './failures';
import { noteOwnModes, switchModes } from './modes';
import { type CheckedOptions, checkFrequency, checkMode, checkOptions, type ProfileMode, type StartOptions } from './options';
import { COUNTER, COUNTERS, type EncoderSetup, type FromEncoder, processCpuNs, type ToEncoder } from './protocol';
import { type ProfilerStats, readStats } from './stats';
import { followWorkers, makeEncoder, threadName, unfollowWorkers } from './threads';

export interface Profiler {
  /**
   * Profile since the last snapshot of that mode (or the start): gzip pprof bytes. Disturbs no window. Default: the mode that is recorded, 'cpu' of both.
   * A mode that was stopped has one more snapshot, of what it had recorded.
   */
  snapshot(mode?: ProfileMode): Promise<Uint8Array>;
  /** Samples a second from now on, 1 to 1000. An overhead budget may hold the rate below it. */
  setFrequency(frequencyHz: number): void;
  /** What is recorded now. */
  readonly modes: ProfileMode[];
  /** Records this profile, too, from now on. Nothing when it is recorded already. */
  startMode(mode: ProfileMode): void;
  /**
   * Ends this profile; what it recorded is in the window and the run that it belongs to. Nothing when it is not recorded.
   * @throws StrobeError ERR_INVALID_OPTION for the last one: that is stop().
   */
  stopMode(mode: ProfileMode): void;
  stats(): ProfilerStats;
  /** Ends the profile and delivers what is left, within `exitTimeoutSeconds`. Idempotent. */
  stop(): Promise<void>;
}

const ENCODER = join(__dirname, 'encoder.js');

class RunningProfiler implements Profiler {
  readonly #native: NativeAddon;
  readonly #options: CheckedOptions;
  readonly #counters: Int32Array;
  readonly #deliveryStats: SharedArrayBuffer;
  readonly #encoder: Worker;
  readonly #waiting = new Map<number, { resolve(bytes: Uint8Array): void; reject(error: Error): void }>();
  readonly #start: ProfilerStats['start'];
  readonly #base: NativeStats['overhead'];
  readonly #baseCpuNs: number;
  #state: 'running' | 'stopping' | 'stopped' = 'running';
  #encoderAlive = true;
  #modes: Set<ProfileMode>;
  /** Stopped, with something that nobody has taken yet. */
  readonly #ended = new Set<ProfileMode>();
  #lastStats: ProfilerStats | undefined;
  #nextId = 1;
  #stopped: Promise<void> | undefined;
  #onFinished: (() => void) | undefined;
  #mapFailure = '';
  #control: string;
  #forgetExecve = (): void => {};
  #lastWarningMs = Number.NEGATIVE_INFINITY;

  constructor(native: NativeAddon, options: CheckedOptions, snapshots: boolean) {
    this.#native = native;
    this.#options = options;
    this.#modes = new Set(options.mode);
    const shared = new SharedArrayBuffer(COUNTERS * Int32Array.BYTES_PER_ELEMENT);
    this.#counters = new Int32Array(shared);
    noteOwnModes(this.#counters, this.#modes);
    this.#control = options.control ? 'off: it is being opened' : 'off: not asked for';
    this.#deliveryStats = sharedStats(options.exporters.length);
    this.#base = native.stats().overhead;
    this.#baseCpuNs = processCpuNs();
    let timings: StartTimings;
    try {
      timings = native.start({
        frequencyHz: options.frequencyHz,
        maxDepth: options.maxDepth,
        exitTimeoutMs: options.exitTimeoutSeconds * 1000,
        threadName: threadName(),
        threadId: isMainThread ? 0 : threadId,
        handleSignals: true,
        cpu: options.mode.includes('cpu'),
        wall: options.mode.includes('wall'),
        times: wantsTimes(options.exporters),
        budgetShare: options.overheadBudgetPercent / 100,
      });
    } catch (error) {
      throw asStrobeError(error);
    }
    // After the engine: the new thread's start-up beside it would slow the listing of code down by more than it saves.
    const before = process.hrtime.bigint();
    try {
      // No preloads, no NODE_OPTIONS: nothing of the application's runs in our Worker.
      const { NODE_OPTIONS: _, ...env } = process.env;
      const setup: EncoderSetup = {
        options,
        snapshots,
        counters: shared,
        deliveryStats: this.#deliveryStats,
        base: { overhead: this.#base, cpuNs: this.#baseCpuNs },
      };
      // Its own standard streams: Node would make this process's at once to pipe the Worker's into them, which is half of what a first Worker takes. Nobody
      // writes there: messages go to file descriptor 2, warnings of Node's own come as messages.
      this.#encoder = makeEncoder(ENCODER, {
        name: 'strobe-encoder',
        workerData: setup,
        execArgv: [],
        env,
        stdout: true,
        stderr: true,
      });
    } catch (error) {
      native.stop();
      native.release();
      throw new StrobeError('ERR_UNSUPPORTED_RUNTIME', encoderRefused(error), { cause: error });
    }
    const encoderNs = Number(process.hrtime.bigint() - before);
    this.#start = { ...timings, encoderNs };
    this.#encoder.on('message', (message: FromEncoder) => this.#onMessage(message));
    this.#encoder.on('error', (error) => this.#onEncoderGone(`the encoder failed: ${error.stack ?? error}`));
    this.#encoder.on('exit', () => this.#onEncoderGone('the encoder ended'));
    // After the listeners: adding one refs the Worker's port again.
    this.#encoder.unref();
    followWorkers(native, (count) => Atomics.store(this.#counters, COUNTER.missedWorkers, count));
    this.#listen();
  }

  get modes(): ProfileMode[] {
    return [...this.#modes];
  }

  startMode(mode: ProfileMode): void {
    const checked = checkMode(mode);
    if (this.#state !== 'running') throw notRunning('startMode()');
    this.#setModes(new Set([...this.#modes, checked]));
  }

  stopMode(mode: ProfileMode): void {
    const checked = checkMode(mode);
    if (this.#state !== 'running') throw notRunning('stopMode()');
    const left = new Set(this.#modes);
    left.delete(checked);
    if (left.size === 0) {
      throw new StrobeError(
        'ERR_INVALID_OPTION',
        `stopMode('${checked}'): it is the only profile that is recorded; end the profiler with stop()`,
      );
    }
    this.#setModes(left);
  }

  #setModes(modes: Set<ProfileMode>): void {
    if (modes.size === this.#modes.size) return;
    // The encoder first: what comes belongs to a mode that it knows.
    this.#tell({ type: 'modes', modes: [...modes] });
    switchModes(this.#native, this.#counters, 'ownModes', modes);
    for (const mode of this.#modes) if (!modes.has(mode)) this.#ended.add(mode);
    this.#modes = modes;
  }

  async snapshot(mode: ProfileMode = this.#modes.has('cpu') ? 'cpu' : 'wall'): Promise<Uint8Array> {
    if (this.#state !== 'running') throw notRunning('snapshot()');
    const checked = checkMode(mode);
    if (!this.#modes.has(checked) && !this.#ended.delete(checked)) {
      throw new StrobeError(
        'ERR_NOT_RUNNING',
        `snapshot('${checked}'): this profile is not recorded; begin it with startMode('${checked}')`,
      );
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      // An awaited snapshot keeps the process alive, an idle encoder does not.
      this.#encoder.ref();
      this.#tell({ type: 'snapshot', id, mode: checked });
    });
  }

  setFrequency(frequencyHz: number): void {
    if (frequencyHz === undefined)
      throw new StrobeError('ERR_INVALID_OPTION', 'setFrequency takes a number from 1 to 1000 (samples a second)');
    const hz = checkFrequency(frequencyHz);
    if (this.#state !== 'running') throw notRunning('setFrequency()');
    this.#native.setFrequency(hz);
  }

  stats(): ProfilerStats {
    return this.#lastStats ?? this.#readStats();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (this.#state !== 'running') return;
    this.#state = 'stopping';
    unfollowWorkers();
    this.#tell({ type: 'stopping' });
    this.#native.stop();
    if (this.#encoderAlive) {
      const timeoutMs = this.#options.exitTimeoutSeconds * 1000;
      Atomics.store(this.#counters, COUNTER.ending, 1);
      await new Promise<void>((resolve) => {
        const limit = setTimeout(() => {
          this.#warn(`stop(): the last profile was not delivered within exitTimeoutSeconds (${this.#options.exitTimeoutSeconds})`);
          resolve();
        }, timeoutMs);
        this.#onFinished = () => {
          clearTimeout(limit);
          resolve();
        };
        this.#encoder.ref();
        this.#tell({ type: 'finish' });
      });
    }
    this.#lastStats = this.#readStats();
    this.#state = 'stopped';
    this.#native.release();
    this.#unlisten();
    this.#failWaiting(notRunning('snapshot()'));
    await this.#encoder.terminate();
  }

  // First of the exit listeners: a later one may throw or call process.exit(). The application's limit of listeners is for its own.
  #listen(): void {
    const most = process.getMaxListeners();
    if (most > 0) process.setMaxListeners(most + 1);
    process.prependListener('exit', this.#onExit);
    if (isMainThread) process.on('removeListener', this.#onListenerRemoved);
    this.#forgetExecve = beforeExecve(
      () => this.#onExit(),
      () => this.#abandon(),
    );
  }

  #unlisten(): void {
    this.#forgetExecve();
    process.off('exit', this.#onExit);
    process.off('removeListener', this.#onListenerRemoved);
    const most = process.getMaxListeners();
    if (most > 1) process.setMaxListeners(most - 1);
  }

  // process.once('SIGTERM', …) that raises the signal again: the default action is back, and the profile must be kept from it.
  #onListenerRemoved = (event: string | symbol): void => {
    if ((event === 'SIGTERM' || event === 'SIGINT') && process.listenerCount(event) === 0) this.#native.followSignals();
  };

  // The process ends: this thread may block now, nobody else needs it.
  #onExit = (): void => {
    if (this.#state === 'stopped') return;
    const asked = this.#state === 'stopping';
    this.#state = 'stopped';
    this.#native.disarm();
    Atomics.store(this.#counters, COUNTER.exiting, 1);
    Atomics.store(this.#counters, COUNTER.ending, 1);
    if (this.#encoderAlive) {
      if (!asked) this.#tell({ type: 'finish' });
      // Workers compute on while this thread waits, at a higher priority than the encoder's. When a Worker's own exit is waited for, the others go on living.
      if (isMainThread) this.#native.stepAside();
      const seconds = this.#options.exitTimeoutSeconds;
      if (Atomics.wait(this.#counters, COUNTER.finished, 0, seconds * 1000) === 'timed-out') {
        sayAtExit(`the last profile was not delivered within exitTimeoutSeconds (${seconds})`);
      }
    }
    // A signal that waited for the same flush ends the process now, with its own status.
    if (this.#native.pendingSignal() !== 0)
      Atomics.wait(this.#counters, COUNTER.windows, Atomics.load(this.#counters, COUNTER.windows), 1000);
  };

  // The execve that the profile was ended for failed: the application lives on, unprofiled, and may start another.
  #abandon(): void {
    this.#native.stop();
    this.#native.release();
    this.#unlisten();
    unfollowWorkers();
    this.#warn('profiling ended before process.execve(), which failed; start it again if it is wanted');
  }

  #readStats(): ProfilerStats {
    const stats = readStats(this.#native.stats(), {
      counters: this.#counters,
      delivery: this.#deliveryStats,
      base: this.#base,
      baseCpuNs: this.#baseCpuNs,
      sourceMaps: this.#options.sourceMaps,
      mapFailure: this.#mapFailure,
      budgetPercent: this.#options.overheadBudgetPercent,
      control: this.#control,
    });
    return { ...stats, start: this.#start };
  }

  #tell(message: ToEncoder): void {
    this.#encoder.postMessage(message);
  }

  #onMessage(message: FromEncoder): void {
    switch (message.type) {
      case 'snapshot':
        this.#settle(message.id)?.resolve(message.bytes);
        break;
      case 'snapshot-failed':
        this.#settle(message.id)?.reject(new Error(`snapshot failed: ${message.message}`));
        break;
      case 'warning':
        this.#warn(message.message);
        break;
      case 'map-failure':
        this.#mapFailure = message.reason;
        break;
      case 'control':
        this.#control = message.state;
        break;
      case 'stop':
        this.stop().catch((error: Error) => this.#warn(`the stop that \`strobe stop\` asked for failed: ${error.message}`));
        break;
      case 'finished':
        this.#onFinished?.();
        break;
    }
  }

  #settle(id: number) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0 && this.#state === 'running') this.#encoder.unref();
    return waiting;
  }

  #failWaiting(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #onEncoderGone(reason: string): void {
    if (!this.#encoderAlive) return;
    this.#encoderAlive = false;
    this.#failWaiting(new StrobeError('ERR_NOT_RUNNING', reason));
    this.#onFinished?.();
    if (this.#state !== 'running') return;
    // Nobody is left to take what is recorded: the profiler stops, the application goes on.
    this.#lastStats = this.#readStats();
    this.#state = 'stopped';
    unfollowWorkers();
    this.#native.stop();
    this.#native.release();
    this.#unlisten();
    this.#warn(`profiling stopped: ${reason}`);
  }

  #warn(message: string): void {
    const now = Date.now();
    if (now - this.#lastWarningMs < 60_000) return;
    this.#lastWarningMs = now;
    process.emitWarning(message, 'StrobeWarning');
  }
}

/**
 * Starts profiling every JavaScript thread of this process.
 * @throws StrobeError ERR_ALREADY_RUNNING, ERR_INVALID_OPTION, ERR_IO (an exporter's directory), ERR_UNSUPPORTED_PLATFORM, ERR_UNSUPPORTED_RUNTIME,
 *   ERR_BINARY_NOT_FOUND, ERR_BINARY_MISMATCH. Nothing is started or left behind when it throws.
 */
export function startProfiler(options?: StartOptions): Profiler {
  return start(options, true);
}

/** For the preload: nobody has the profiler in hand, so nothing is kept for a `snapshot()` that can't be called. */
export function startUnattended(options: StartOptions): void {
  start(options, false);
}

function start(options: StartOptions | undefined, snapshots: boolean): Profiler {
  const checked = checkOptions(options);
  const native = loadNative();
  if (native.stats().running) throw asStrobeError({ code: 'ERR_ALREADY_RUNNING' });
  for (const exporter of checked.exporters) prepareExporter(exporter);
  return new RunningProfiler(native, checked, snapshots);
}
