import type * as rtc from "@livekit/rtc-node";
import { type AudioFrame, durationMs, join } from "@pipecat-ts/audio";
import { withTimeout } from "@pipecat-ts/runner-core";

type Sdk = typeof rtc;

/** An audio track that a participant publishes as its microphone. */
export interface RtcMicrophone {
  publish(room: rtc.Room): Promise<rtc.LocalTrackPublication | undefined>;
  /** Queues mono audio. Drops it when 1 s waits, or when the queue of the SDK is full, after 1 to 2 s. */
  send(samples: Int16Array): void;
  /** Drops the queued audio. */
  clear(): void;
  /** Drops the queued audio and releases everything. Call it before the participant leaves the room. Never rejects. */
  close(): Promise<void>;
}

/**
 * How many frames of a microphone the native part may be queueing. For each of them, the SDK (1.1) looks at every event of the process: if
 * the number grew while the process is late, the process would get later with every frame. Later audio waits, and is sent in one frame.
 */
const maxPending = 3;
/** How much audio waits at most, in ms, as in the queue of the SDK. */
const maxWaitingMs = 1_000;
/** How long `close` waits for the native part to queue the last audio, in ms. More than the second that a full queue plays. */
const queueTimeoutMs = 2_000;

export function createRtcMicrophone(sdk: Sdk, name: string, sampleRate: number): RtcMicrophone {
  const source = new sdk.AudioSource(sampleRate, 1);
  const track = sdk.LocalAudioTrack.createAudioTrack(name, source);
  /** Settles when the native part has queued the last audio: one thread of it does so, in order. */
  let queued = Promise.resolve();
  let pending = 0;
  let waiting: AudioFrame[] = [];
  let isClosed = false;

  function waitingMs(): number {
    return waiting.reduce((sum, frame) => sum + durationMs(frame), 0);
  }

  async function capture(samples: Int16Array): Promise<void> {
    pending++;
    try {
      await source.captureFrame(new sdk.AudioFrame(samples, sampleRate, 1, samples.length));
    } catch {
      // The queue is full.
    }
    pending--;
    captureWaiting();
  }

  function captureWaiting(): void {
    if (isClosed || pending >= maxPending || waiting.length === 0) return;
    // Also copies a single frame: the SDK reads the whole buffer of its array, which may be larger.
    const { samples } = join(waiting);
    waiting = [];
    queued = capture(samples);
  }

  async function release(): Promise<void> {
    await withTimeout(queued, queueTimeoutMs);
    // The native part (0.12.73 to 0.12.80) frees the queue of a source before it stops the task that reads it every 10 ms. If audio is
    // queued, the task can write to freed memory, and the process aborts. With an empty queue, the task does not touch it.
    source.clearQueue();
    // Before the room, which drops the handle of the track.
    await track.close(false);
    await source.close();
  }

  return {
    async publish(room) {
      const options = new sdk.TrackPublishOptions({ source: sdk.TrackSource.SOURCE_MICROPHONE });
      return await room.localParticipant?.publishTrack(track, options);
    },
    send(samples) {
      if (isClosed || waitingMs() >= maxWaitingMs) return;
      waiting.push({ samples, sampleRate, channels: 1 });
      captureWaiting();
    },
    clear() {
      if (isClosed) return;
      waiting = [];
      source.clearQueue();
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await release().catch(() => undefined); // The native part is gone already.
    },
  };
}
