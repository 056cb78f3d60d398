import type { AudioFrame } from "@pipecat-ts/audio";
import {
  type Interruption,
  type Logger,
  RunnerError,
  type Transport,
  type TransportParams,
} from "@pipecat-ts/runner-core";
import { createCallEnding } from "./call-ending.ts";
import { createCallEvents } from "./call-events.ts";
import { createCallerAudio } from "./caller-audio.ts";
import { createEntrance } from "./entrance.ts";
import { createLosses, type MediaCounters } from "./losses.ts";
import { createOutputStream } from "./output-stream.ts";
import type { Pacer } from "./pacer.ts";
import { createPlaybacks } from "./playbacks.ts";
import type { Caller, MediaPort } from "./port.ts";
import { createSpeaker } from "./speaker.ts";
import { createTurns } from "./turns.ts";

/** What one call's transport is built from. */
export interface MediaTransportOptions {
  /** The transport's name. */
  readonly name: string;
  readonly params: TransportParams;
  readonly pacer: Pacer;
  readonly logger: Logger;
  /** Opens the wire. Told of the caller through `caller` from now on; may speak to it before it returns. */
  open(caller: Caller): MediaPort;
}

/** A `Transport`, and what it has carried. */
export interface MediaTransport extends Transport {
  readonly counters: MediaCounters;
  /**
   * Resolves, never rejects, when all that was said before the call was heard, or dropped, or the call is over; what is
   * said after it waits for that. For what must not overtake the bot's words: handing the call on, keys that are dialled.
   */
  heardOut(): Promise<void>;
  /**
   * As `Transport` says, with 200 ms of audio waiting to be sent before `write()` waits. Take a writer by `getWriter()`,
   * or pipe to it.
   */
  readonly output: WritableStream<AudioFrame>;
  /**
   * As `Transport` says, exactly so for writers of `output.getWriter()` and for `play`: a frame is old when its `write()`
   * was called before, and new when it was called after, be it in the same breath.
   *
   * A pipe hides when its frames were written, so that what it goes on delivering is dropped as old until it pauses for
   * half as long as the frame before lasts (5 to 50 ms), ends, comes no faster than it is spoken, or has had 15 minutes of
   * audio dropped. An answer that must be heard from its first syllable is best given to `play`. What waits before a pipe
   * for longer than that pause, in a bot's own queues or a speech service, is the bot's to drop.
   */
  interrupt(): Interruption;
}

/**
 * Builds the `Transport` of one call on its `MediaPort`. Nothing is sent before `caller.connected()`; what the bot says
 * until then waits.
 *
 * Call it in the asynchronous scope of the bot: whatever the call makes happen later, in streams, events and ticks, happens
 * in it. Throws OPTION_INVALID, and what `open` throws; then nothing is left open.
 */
export function createMediaTransport(options: MediaTransportOptions): MediaTransport {
  const { name, params, pacer, logger } = options;
  const { audioInEnabled = true, audioOutEnabled = true, audioInSampleRate = 16_000 } = params;
  requireSampleRate(name, audioInSampleRate);
  const losses = createLosses(logger);
  const events = createCallEvents(losses, logger);
  const ears = createCallerAudio(audioInSampleRate, losses);
  if (!audioInEnabled) ears.end();
  const input = ears.read();

  const entrance = createEntrance();
  const port = options.open(entrance.caller);
  let portFailed = false;
  const turns = createTurns();
  const speaker = createSpeaker({
    port,
    pacer,
    losses,
    started: () => events.emit("botStartedSpeaking"),
    stopped: () => events.emit("botStoppedSpeaking"),
    failed(error) {
      if (!portFailed) logger.warn({ err: error }, "The wire failed to take something; this is logged once.");
      portFailed = true;
      events.emit("error", error);
    },
  });
  const playbacks = createPlaybacks({
    turns,
    speaker,
    logger,
    refused,
    failed(error) {
      logger.warn({ err: error }, "A source of speech failed.");
      events.emit("error", error);
    },
  });
  const output = createOutputStream({
    clock: pacer.clock,
    turns,
    speaker,
    refused,
    aborted() {
      if (turns.inLine === 0) speaker.interrupt();
    },
  });
  if (!audioOutEnabled) output.seal();
  const ending = createCallEnding({
    clock: pacer.clock,
    logger,
    turns,
    speaker,
    seal() {
      ears.end();
      output.seal();
    },
    release() {
      playbacks.interrupt();
      turns.renew();
      output.release();
      speaker.stop();
    },
    async closeWire(reason) {
      await port.close(reason);
      logger.debug({ ...losses.counters }, "What the call carried.");
    },
  });

  function refused(fault: string): void {
    losses.add("outputInvalid", `The bot said something that is no audio: ${fault}.`);
    const fix = "Give Int16Array samples, their rate in Hz and the number of their channels.";
    events.emit("error", new RunnerError("AUDIO_INVALID", `A frame was skipped: ${fault}.`, { status: 400, fix }));
  }

  async function send(message: unknown): Promise<void> {
    if (ending.ended)
      throw new RunnerError("CALL_ENDED", "The message was not sent: the call is over.", { status: 409 });
    if (port.sendMessage) return await port.sendMessage(message);
    throw new RunnerError("MESSAGES_UNSUPPORTED", `The ${name} transport carries no app messages.`, {
      fix: "Check args.transport before you send messages, or ignore the rejection.",
    });
  }

  let connected = false;
  entrance.open({
    connected() {
      if (connected || ending.ended) return;
      connected = true;
      events.emit("clientConnected");
      speaker.connected();
    },
    audio: ears.take,
    message(message, sender) {
      if (ending.ended) return;
      if (sender === undefined) events.emit("appMessage", message);
      else events.emit("appMessage", message, sender);
    },
    dtmf(digit) {
      if (!ending.ended) events.emit("dtmf", digit);
    },
    played: speaker.played,
    error(error) {
      if (!ending.ended) events.emit("error", error);
    },
    event(name, ...args) {
      if (!ending.ended) events.emitOwn(name, ...args);
    },
    left(reason = "caller-left") {
      if (ending.ended) return;
      events.emit("clientDisconnected", reason);
      void ending.close(reason);
    },
  });

  return {
    name,
    counters: losses.counters,
    input,
    listen: ears.read,
    get output() {
      return output.stream;
    },
    play(audio) {
      const playback = playbacks.play(audio);
      if (ending.ended || !audioOutEnabled) playbacks.interrupt();
      return playback;
    },
    interrupt() {
      if (ending.ended) return { playedMs: 0, droppedMs: 0 };
      const currentMs = playbacks.current?.playedMs;
      playbacks.interrupt();
      const unwrittenMs = turns.renew();
      output.interrupted();
      const { playedMs, droppedMs } = speaker.interrupt();
      return { playedMs: currentMs ?? playedMs, droppedMs: droppedMs + unwrittenMs };
    },
    async heardOut() {
      const turn = turns.enter();
      await turn.come;
      await speaker.heard(speaker.queue.endMs);
      turn.leave();
    },
    sendMessage(message) {
      const sending = send(message);
      // A rejection that nobody handles harms nothing.
      sending.catch(() => undefined);
      return sending;
    },
    on: events.on,
    closed: ending.closed,
    close: (reason = "bot-finished") => ending.close(reason),
  };
}

function requireSampleRate(name: string, sampleRate: number): void {
  if (Number.isInteger(sampleRate / 50) && sampleRate >= 8_000 && sampleRate <= 192_000) return;
  throw new RunnerError("OPTION_INVALID", `The ${name} transport's audioInSampleRate cannot be ${sampleRate}.`, {
    fix: "Give a multiple of 50 from 8,000 to 192,000 Hz.",
  });
}
