import { AsyncLocalStorage } from "node:async_hooks";
import type { AudioFrame } from "@pipecat-ts/audio";
import {
  type Call,
  type CloseReason,
  type Interruption,
  type Logger,
  type MediaPort,
  type Pacer,
  RunnerError,
  type Transport,
  type TransportCapabilities,
  type TransportParams,
  withTimeout,
} from "@pipecat-ts/runner-core";
import { allPlayed, playOut } from "./closing.ts";
import { createDropCounters, type MediaCounters } from "./counters.ts";
import { createCallEvents } from "./events.ts";
import { letIgnore } from "./ignorable.ts";
import { createInputAudio } from "./input-audio.ts";
import { createOutputAudio } from "./output-audio.ts";
import { createOutputLock } from "./output-lock.ts";
import { createOutputStream } from "./output-stream.ts";
import { createPlaybacks } from "./playback.ts";
import { createPlayout } from "./playout.ts";

/** What a media transport is built from. */
export interface MediaOptions {
  /** The transport's name. */
  readonly name: string;
  readonly params: TransportParams;
  readonly port: MediaPort;
  readonly pacer: Pacer;
  readonly logger: Logger;
  /** The bot sends a message to the caller's application. */
  onMessage?(message: unknown): void;
  /** The bot closes the transport. The owner of the call then calls `playOut` and `close`. */
  onClose(reason: CloseReason): void;
  /** A listener of the bot threw. Default: an uncaught exception of the listener's asynchronous scope. */
  onListenerError?(error: unknown): void;
}

/** The media layer of one call, for the owner of the call. */
export interface Media {
  /** What the bot gets. */
  readonly transport: Transport & { readonly counters: MediaCounters };
  /** Receives what the caller does. */
  readonly receiver: Call;
  /** Closes `input`, drops further writes, and resolves when everything enqueued before was played, or when `cutoff` aborts. */
  playOut(cutoff: AbortSignal): Promise<void>;
  /**
   * Drops queued audio, closes the wire and releases everything. Resolves, and never rejects, when the wire is closed or
   * `deadline` aborts. Later calls wait for the first.
   */
  close(reason: CloseReason, deadline: AbortSignal): Promise<void>;
}

/** How long a wire may take to close, in ms. */
export const wireCloseMs = 5_000;

/** Throws OPTION_INVALID for params that no transport supports. */
export function checkParams(name: string, { audioInSampleRate = 16_000 }: TransportParams): void {
  if (Number.isInteger(audioInSampleRate / 50) && audioInSampleRate >= 8_000 && audioInSampleRate <= 192_000) return;
  throw new RunnerError("OPTION_INVALID", `audioInSampleRate of "${name}" cannot be ${audioInSampleRate}.`, {
    fix: "Use a multiple of 50 from 8,000 to 192,000 Hz.",
  });
}

/**
 * Builds the media layer of one call on its port. Nothing is sent before `receiver.connected()`; until then the bot's audio is
 * queued.
 *
 * Call it in the session's asynchronous scope: streams, events and ticks of the call run in it. Throws OPTION_INVALID, or the
 * error of the port's `extend`; it then closes the port.
 */
export function createMedia(options: MediaOptions): Media {
  try {
    return buildMedia(options);
  } catch (error) {
    const { port, logger } = options;
    const closed = (async () => await port.close("transport-failed", AbortSignal.timeout(wireCloseMs)))();
    closed.catch((err: unknown) => logger.warn({ err }, "connection to the caller failed to close"));
    throw error;
  }
}

function buildMedia(options: MediaOptions): Media {
  const { name, params, port, pacer, logger } = options;
  const { audioInEnabled = true, audioOutEnabled = true, audioInSampleRate = 16_000 } = params;
  const { audioIn = true, audioOut = true, ...video } = port.capabilities ?? {};
  const capabilities: TransportCapabilities = {
    audioIn: audioIn && audioInEnabled,
    audioOut: audioOut && audioOutEnabled,
    videoIn: false,
    screenIn: false,
    videoOut: false,
    ...video,
  };
  checkParams(name, params);
  const { clock } = pacer;
  const scope = AsyncLocalStorage.snapshot();
  const drops = createDropCounters(logger);
  const events = createCallEvents(drops, logger, options.onListenerError);
  const inputAudio = createInputAudio(audioInSampleRate, drops, clock);
  if (!capabilities.audioIn) inputAudio.end();
  const input = inputAudio.listen();
  const outputAudio = createOutputAudio(drops);
  const lock = createOutputLock();
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<CloseReason>();
  let portFailed = false;
  let connected = false;
  let closing: Promise<void> | undefined;
  /** The wire is being closed: nothing is sent any more. */
  let ended = false;
  /** The wire is closed. */
  let over = false;

  const playout = createPlayout({
    port,
    pacer,
    drops,
    started: () => events.emit("botStartedSpeaking"),
    stopped: () => events.emit("botStoppedSpeaking"),
    sent: outputAudio.sent,
    advanced: () => playbacks.advanced(),
    failed(error) {
      if (!portFailed) logger.warn({ err: error }, "transport failed to send; further failures are not logged");
      portFailed = true;
      events.emit("error", error);
    },
  });
  const playbacks = createPlaybacks({
    lock,
    playout,
    drops,
    logger,
    audioOut: capabilities.audioOut,
    isOver: () => ended,
    progressed: (progress) => events.emit("botSpeechProgress", progress),
    rejected,
    failed(error) {
      logger.warn({ err: error }, "audio source failed");
      events.emit("error", error);
    },
  });
  const output = createOutputStream({
    clock,
    lock,
    playout,
    drops,
    rejected,
    aborted(writtenMs) {
      const isLast = () => playout.queue.endMs === writtenMs;
      // The audio of an utterance before it is played.
      if (lock.leases === 0 && isLast()) playbacks.whenOver(() => isLast() && playout.interrupt());
    },
  });
  if (!capabilities.audioOut) output.seal();

  function rejected(fault: string): void {
    drops.add("outputInvalid", `output frame skipped: ${fault}`);
    const fix = "Use Int16Array samples, their sample rate in Hz and the number of channels.";
    events.emit("error", new RunnerError("AUDIO_INVALID", `A frame was skipped: ${fault}.`, { fix }));
  }

  function seal(): void {
    inputAudio.end();
    output.seal();
  }

  async function close(reason: CloseReason, deadline: AbortSignal): Promise<void> {
    ended = true;
    seal();
    playbacks.interrupt();
    lock.newGeneration();
    output.release();
    playout.stop();
    outputAudio.end();
    const portClosed = (async () => await port.close(reason, deadline))().catch((err: unknown) => {
      logger.warn({ err }, "connection to the caller failed to close");
    });
    if (!(await withTimeout(portClosed, deadline))) logger.warn("connection to the caller did not close in time");
    over = true;
    logger.debug({ ...drops.counters }, "media counters");
    resolveClosed(reason);
  }

  async function send(message: unknown): Promise<void> {
    if (ended) throw new RunnerError("CALL_ENDED", "The message was not sent: the call is over.");
    if (port.sendMessage) {
      options.onMessage?.(message);
      return await port.sendMessage(message);
    }
    throw new RunnerError("MESSAGES_UNSUPPORTED", `The transport "${name}" cannot send messages.`, {
      fix: "Check args.transport before you send messages, or ignore the rejection.",
    });
  }

  const transport: Media["transport"] = {
    name,
    capabilities,
    counters: drops.counters,
    input,
    listen: inputAudio.listen,
    listenOutput: outputAudio.listen,
    get output() {
      return output.stream;
    },
    play: playbacks.play,
    speak: playbacks.speak,
    interrupt(): Interruption {
      if (ended) return { playedMs: 0, droppedMs: 0 };
      // The listeners run last: what they start is not interrupted.
      return events.emitBefore("botInterrupted", () => {
        const currentMs = playbacks.current?.playedMs;
        const unenqueuedMs = playbacks.interrupt() + lock.newGeneration();
        output.interrupted();
        const { playedMs, droppedMs } = playout.interrupt();
        return { playedMs: currentMs ?? playedMs, droppedMs: droppedMs + unenqueuedMs };
      });
    },
    sendMessage: (message) => letIgnore(send(message)),
    on: events.on,
    closed,
    async close(reason = "bot-finished") {
      options.onClose(reason);
      await closed;
    },
  };
  Object.assign(
    transport,
    port.extend?.({
      transport,
      played: () => allPlayed(lock, playout),
      createInput: () => createInputAudio(audioInSampleRate, drops, clock),
    }),
  );

  return {
    transport,
    receiver: {
      connected() {
        if (connected || ended) return;
        connected = true;
        events.emit("clientConnected");
        playout.connected();
      },
      audio: (frame: AudioFrame) => inputAudio.push(frame),
      message(message, sender) {
        if (ended) return;
        if (sender === undefined) events.emit("appMessage", message);
        else events.emit("appMessage", message, sender);
      },
      dtmf(key) {
        if (!ended) events.emit("dtmf", key);
      },
      played: playout.reportPlayed,
      error(error) {
        if (!ended) events.emit("error", error);
      },
      event(event, ...args) {
        if (!over) events.emitOwn(event, ...args);
      },
      left(reason = "caller-left") {
        if (!ended) events.emit("clientDisconnected", reason);
      },
    },
    async playOut(cutoff) {
      seal();
      await playOut({ clock, logger, lock, playout }, cutoff);
    },
    close(reason, deadline) {
      // Also when something else ends the call, exceptions of the bot's sources and abort listeners belong to its session.
      closing ??= scope(close, reason, deadline);
      return closing;
    },
  };
}
