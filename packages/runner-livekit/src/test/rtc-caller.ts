import { setTimeout as sleep } from "node:timers/promises";
import type * as rtc from "@livekit/rtc-node";
import type { AudioFrame } from "@pipecat-ts/audio";
import { withTimeout } from "@pipecat-ts/runner-core";
import { createPlayout, type FakeCaller } from "@pipecat-ts/runner-testing";
import { loadSdk } from "../rtc-client.ts";
import { createRtcMicrophone } from "../rtc-microphone.ts";
import { createSdkRoom, leaveRoom } from "../sdk-room.ts";

/** A caller with the SDK that bots use, with a microphone that sends what a test gives it. */
export interface RtcCaller extends FakeCaller {
  readonly room: rtc.Room;
  readonly messages: readonly unknown[];
  sendMessage(message: unknown): void;
  sendRaw(data: string | Uint8Array): void;
}

/** How long the caller waits for a bot that listens, in ms. */
const subscribeTimeoutMs = 1_500;

/** How long the jitter buffers of a new track adapt, in ms. */
const settleMs = 300;

/** Joins a room of a real LiveKit server. Rejects when the server refuses the token. `heard` receives audio as soon as it arrives. */
export async function joinRoom(url: string, token: string, heard?: (frame: AudioFrame) => void): Promise<RtcCaller> {
  const sdk = loadSdk();
  const room = createSdkRoom(sdk);
  const playout = createPlayout();
  const messages: unknown[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const readers = new Set<ReadableStreamDefaultReader<rtc.AudioFrame>>();
  let left: Promise<void> | undefined;
  let isLeaving = false;
  room.on("trackSubscribed", (track) => {
    // Nobody would end the stream of a track that arrives now, and its listener of the SDK would stay. The track may be gone already.
    if (!isLeaving) void listen(track).catch(() => undefined);
  });
  room.on("dataReceived", (data) => void messages.push(JSON.parse(new TextDecoder().decode(data))));
  room.on("disconnected", () => {
    playout.close();
    resolve();
  });

  async function listen(track: rtc.RemoteTrack): Promise<void> {
    const stream = new sdk.AudioStream(track, { sampleRate: 24_000, numChannels: 1, frameSizeMs: 20 });
    const reader: ReadableStreamDefaultReader<rtc.AudioFrame> = stream.getReader();
    readers.add(reader);
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const frame = { samples: next.value.data, sampleRate: 24_000, channels: 1 } as const;
      heard?.(frame);
      playout.enqueue(frame);
    }
  }

  const send = (data: Uint8Array) =>
    void room.localParticipant?.publishData(data, { reliable: true }).catch(() => undefined);
  await room.connect(url, token, { autoSubscribe: true, dynacast: false });
  const microphone = createRtcMicrophone(sdk, "microphone", 16_000);
  try {
    const publication = await microphone.publish(room);
    // What the caller says before the bot subscribes is lost. A bot that never joins does not.
    if (publication) await withTimeout(publication.waitForSubscription(), subscribeTimeoutMs);
    await sleep(settleMs);
  } catch (error) {
    await leave();
    throw error;
  }

  async function leave(): Promise<void> {
    isLeaving = true;
    // A stream ends by itself only when its track ends before the room.
    for (const reader of readers) void reader.cancel().catch(() => undefined);
    await microphone.close();
    await leaveRoom(room);
    playout.close();
    resolve();
  }

  return {
    room,
    sampleRate: 16_000,
    playout,
    messages,
    closed,
    sendAudio: ({ samples }) => microphone.send(samples),
    sendMessage: (message) => send(new TextEncoder().encode(JSON.stringify(message))),
    sendRaw: (data) => send(typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data)),
    async hangUp() {
      left ??= leave();
      await left;
    },
    drop() {
      left ??= leave();
    },
  };
}
