import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import type { CloseReason } from "@pipecat-ts/runner-core";
import type { Caller } from "./port.ts";

/**
 * Stands where the bot will listen, from the moment a caller is taken: the bot's transport may come seconds later. Until
 * then it keeps what the caller says, within bounds: the last 500 ms of audio, as media keeps it afterwards, and the first
 * 50 messages of together 1 MiB, since what a client says first is what the rest builds on, and the first 50 keys.
 */
export interface Reception {
  /** The wire is up. */
  connected(): void;
  audio(frame: AudioFrame): void;
  /** A message that came in `byteLength` bytes. */
  message(message: unknown, byteLength: number): void;
  /** A key the caller pressed. */
  dtmf(digit: string): void;
  /** The caller is gone. */
  left(reason: CloseReason): void;
  /** Tells `caller` what was kept, the messages first, and from now on everything at once. Once. */
  attach(caller: Caller): void;
  /** How much did not fit: audio in ms, messages, and keys. */
  readonly dropped: { readonly audioMs: number; readonly messages: number; readonly digits: number };
}

const keptAudioMs = 500;
/** 500 ms in frames of 5 ms. Bounds what frames of one sample cost. */
const keptAudioFrames = 100;
const keptMessages = 50;
const keptDigits = 50;
const keptMessageBytes = 1024 * 1024;

export function createReception(): Reception {
  let bot: Caller | undefined;
  let isConnected = false;
  let leftWith: CloseReason | undefined;
  let messages: unknown[] = [];
  let messageBytes = 0;
  let digits: string[] = [];
  let audio: AudioFrame[] = [];
  let audioMs = 0;
  const dropped = { audioMs: 0, messages: 0, digits: 0 };

  return {
    dropped,
    connected() {
      isConnected = true;
      bot?.connected();
    },
    audio(frame) {
      if (bot) return bot.audio(frame);
      audio.push(frame);
      audioMs += durationMs(frame);
      while (audio.length > 1 && (audioMs > keptAudioMs || audio.length > keptAudioFrames)) {
        const oldest = audio.shift();
        const oldestMs = oldest ? durationMs(oldest) : 0;
        audioMs -= oldestMs;
        dropped.audioMs += oldestMs;
      }
    },
    message(message, byteLength) {
      if (bot) return bot.message(message);
      if (messages.length < keptMessages && messageBytes + byteLength <= keptMessageBytes) {
        messages.push(message);
        messageBytes += byteLength;
      } else dropped.messages += 1;
    },
    dtmf(digit) {
      if (bot) return bot.dtmf(digit);
      if (digits.length < keptDigits) digits.push(digit);
      else dropped.digits += 1;
    },
    left(reason) {
      leftWith = reason;
      bot?.left(reason);
    },
    attach(caller) {
      bot = caller;
      if (isConnected) caller.connected();
      for (const message of messages) caller.message(message);
      for (const digit of digits) caller.dtmf(digit);
      for (const frame of audio) caller.audio(frame);
      messages = [];
      digits = [];
      audio = [];
      if (leftWith !== undefined) caller.left(leftWith);
    },
  };
}
