import { AsyncLocalStorage } from "node:async_hooks";
import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import { type Call, type Clock, type CloseReason, createRateLimit, type Logger } from "@pipecat-ts/runner-core";
import { estimateBytes } from "./estimate-bytes.ts";
import { frameFault } from "./frame-check.ts";

/** A `Call` and its early-media buffer, which holds events until the bot's transport is built. */
export interface BufferedCall {
  /** For the transport. Its methods may be called from any asynchronous scope. */
  readonly call: Call;
  /** Delivers buffered events to `receiver`, messages before audio, and every later event at once. */
  attach(receiver: Call): void;
  /** What did not fit into the buffer, or exceeded a rate: audio in ms, and the number of messages, keys and other events. */
  readonly dropped: {
    readonly audioMs: number;
    readonly messages: number;
    readonly keys: number;
    readonly events: number;
  };
}

export interface BufferedCallOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called once, after `receiver.left`. */
  onLeft(reason: CloseReason): void;
}

/**
 * Messages of a caller. Pipecat's clients send a few per second; small-webrtc-transport and the Daily client send what they
 * queued before the bot was ready at once, the latter three batches per second of recorded audio.
 */
const messageRate = { perSecond: 100, burst: 300 };
/** Keys of a caller. A person presses 10 per second; a client may send a number of 15 digits at once. */
const keyRate = { perSecond: 20, burst: 50 };
/** Messages, keys and other events above which a caller is disconnected: ten times the rate of messages. */
const floodRate = { perSecond: 1_000, burst: 5_000 };

const maxAudioMs = 500;
/** 500 ms in frames of 5 ms. Bounds the cost of frames with one sample. */
const maxAudioFrames = 100;
const maxMessages = 50;
/** In memory: about 1 MiB of text. */
const maxMessageBytes = 2 * 1024 * 1024;
const maxKeys = 50;
const maxEvents = 50;

/**
 * Buffers the last 500 ms of audio, the first 50 messages of about 1 MiB together, because later messages build on the first, the
 * first 50 keys, and the first 50 other events.
 *
 * At most 100 messages and 20 keys per second reach the bot, with bursts of 300 and 50. More are dropped and counted, and the
 * first is logged. A caller that sends more than 5,000 at once, and then 1,000 per second, is disconnected: the call ends with
 * `rate-exceeded`.
 *
 * Create it in the session's asynchronous scope: everything that a call sets off runs in it.
 */
export function createBufferedCall({ clock, logger, onLeft }: BufferedCallOptions): BufferedCall {
  const scope = AsyncLocalStorage.snapshot();
  let receiver: Call | undefined;
  let isConnected = false;
  let leftReason: CloseReason | undefined;
  let messages: [message: unknown, sender: string | undefined][] = [];
  let messageBytes = 0;
  let keys: string[] = [];
  let events: ((to: Call) => void)[] = [];
  let audio: AudioFrame[] = [];
  let audioMs = 0;
  const dropped = { audioMs: 0, messages: 0, keys: 0, events: 0 };
  const rates = { messages: createRateLimit(messageRate, clock.now), keys: createRateLimit(keyRate, clock.now) };
  const flood = createRateLimit(floodRate, clock.now);
  const warned = new Set<"messages" | "keys">();

  function leave(reason: CloseReason): void {
    if (leftReason !== undefined) return;
    leftReason = reason;
    if (receiver) scope(receiver.left, reason);
    scope(onLeft, reason);
  }

  /** Whether the caller may report another event. Ends the call of a caller that floods it. */
  function admit(kind?: "messages" | "keys"): boolean {
    if (kind !== undefined && leftReason !== undefined) return false;
    if (!flood.take()) {
      if (leftReason === undefined) logger.warn(floodRate, "caller disconnected: too many messages");
      leave("rate-exceeded");
      return false;
    }
    if (kind === undefined || rates[kind].take()) return true;
    dropped[kind] += 1;
    if (!warned.has(kind)) logger.warn({ kind }, "message dropped: too many per second; further ones are only counted");
    warned.add(kind);
    return false;
  }

  function bufferAudio(frame: AudioFrame): void {
    // A sample rate of 0 would make the sum of durations infinite for good.
    if (frameFault(frame) !== undefined) return;
    audio.push(frame);
    audioMs += durationMs(frame);
    while (audio.length > 1 && (audioMs > maxAudioMs || audio.length > maxAudioFrames)) {
      const oldest = audio.shift();
      const oldestMs = oldest ? durationMs(oldest) : 0;
      audioMs -= oldestMs;
      dropped.audioMs += oldestMs;
    }
  }

  function bufferMessage(message: unknown, sender: string | undefined): void {
    const bytes = estimateBytes(message, maxMessageBytes);
    if (messages.length >= maxMessages || messageBytes + bytes > maxMessageBytes) dropped.messages += 1;
    else {
      messages.push([message, sender]);
      messageBytes += bytes;
    }
  }

  function bufferEvent(deliver: (to: Call) => void): void {
    if (events.length < maxEvents) events.push(deliver);
    else dropped.events += 1;
  }

  return {
    dropped,
    call: {
      connected() {
        if (isConnected) return;
        isConnected = true;
        if (receiver) scope(receiver.connected);
      },
      audio(frame) {
        if (leftReason !== undefined) return;
        if (receiver) scope(receiver.audio, frame);
        else bufferAudio(frame);
      },
      message(message, sender) {
        if (!admit("messages")) return;
        if (receiver) scope(receiver.message, message, sender);
        else bufferMessage(message, sender);
      },
      dtmf(key) {
        if (!admit("keys")) return;
        if (receiver) scope(receiver.dtmf, key);
        else if (keys.length < maxKeys) keys.push(key);
        else dropped.keys += 1;
      },
      played(mark) {
        if (receiver) scope(receiver.played, mark);
      },
      error(error) {
        if (!admit()) return;
        if (receiver) scope(receiver.error, error);
        else bufferEvent((to) => to.error(error));
      },
      event(name, ...args) {
        if (!admit()) return;
        if (receiver) scope(receiver.event, name, ...args);
        else bufferEvent((to) => to.event(name, ...args));
      },
      left: (reason = "caller-left") => leave(reason),
    },
    attach(to) {
      receiver = to;
      if (isConnected) to.connected();
      for (const [message, sender] of messages) to.message(message, sender);
      for (const key of keys) to.dtmf(key);
      for (const deliver of events) deliver(to);
      for (const frame of audio) to.audio(frame);
      messages = [];
      keys = [];
      events = [];
      audio = [];
      if (leftReason !== undefined) to.left(leftReason);
    },
  };
}
