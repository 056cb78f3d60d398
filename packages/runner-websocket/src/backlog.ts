import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import type { WireFrame } from "./codec.ts";

/**
 * What a caller sends before its bot listens, within bounds: the last 500 ms of audio, as media keeps it afterwards, and
 * the first 50 messages of together 1 MiB, since what a client says first is what the rest builds on.
 */
export interface Backlog {
  /** Keeps a frame that came in a message of `byteLength` bytes. */
  add(frame: WireFrame, byteLength: number): void;
  /** Hands on what was kept, the messages first, and forgets it. */
  release(take: (frame: WireFrame) => void): void;
  /** How much did not fit: audio in ms, and messages. */
  readonly dropped: { readonly audioMs: number; readonly messages: number };
}

const keptAudioMs = 500;
/** 500 ms in frames of 5 ms. Bounds what frames of one sample cost. */
const keptAudioFrames = 100;
const keptMessages = 50;
const keptMessageBytes = 1024 * 1024;

export function createBacklog(): Backlog {
  let messages: WireFrame[] = [];
  let audio: { readonly frame: WireFrame; readonly ms: number }[] = [];
  let messageBytes = 0;
  let audioMs = 0;
  const dropped = { audioMs: 0, messages: 0 };

  function addAudio(frame: WireFrame, sound: AudioFrame): void {
    const ms = durationMs(sound);
    audio.push({ frame, ms });
    audioMs += ms;
    while (audio.length > 1 && (audioMs > keptAudioMs || audio.length > keptAudioFrames)) {
      const oldestMs = audio.shift()?.ms ?? 0;
      audioMs -= oldestMs;
      dropped.audioMs += oldestMs;
    }
  }

  return {
    dropped,
    add(frame, byteLength) {
      if (frame.kind === "audio") addAudio(frame, frame.audio);
      else if (messages.length < keptMessages && messageBytes + byteLength <= keptMessageBytes) {
        messages.push(frame);
        messageBytes += byteLength;
      } else dropped.messages += 1;
    },
    release(take) {
      const kept = [...messages, ...audio.map(({ frame }) => frame)];
      messages = [];
      audio = [];
      for (const frame of kept) take(frame);
    },
  };
}
