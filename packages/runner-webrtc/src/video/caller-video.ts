import {
  type CallerVideo,
  type Clock,
  createCallerVideo,
  RunnerError,
  type Snapshot,
  type VideoSource,
} from "@pipecat-ts/runner-core";
import type { PeerVideo, VideoPacket } from "../peer/peer.ts";
import { createFrameAssembler } from "./frame-assembler.ts";
import { parseKeyFrame } from "./vp8.ts";
import { wrapInWebp } from "./webp.ts";

/** How the connection reports what the caller does. */
export interface VideoReceiver {
  readonly video: CallerVideo;
  /** Takes a packet as it arrives. */
  push(packet: VideoPacket): void;
  /** The caller turned a source on or off. */
  setEnabled(source: VideoSource, enabled: boolean): void;
  /** Another peer replaces the one before. */
  restart(): void;
  /** Rejects pending snapshots, and ends the loops over frames. May be called more than once. */
  close(): void;
}

export interface VideoReceiverOptions {
  /** The video of the current peer. */
  peerVideo(): PeerVideo | undefined;
  readonly clock: Clock;
}

/**
 * How long a key frame may take to begin, or to continue, before it is requested again: lost packets are not repeated, and a screen
 * that does not change sends no other frame. Chromium ignores requests for 300 ms after one.
 */
const retryMs = 200;

/** The snapshots of one source that wait for the same key frame. */
interface Pending {
  readonly waiting: Set<PromiseWithResolvers<Snapshot>>;
  /** Whether a key frame was requested from the current peer. */
  requested: boolean;
  /** The bytes of it that had arrived when this was last checked. */
  bytes: number;
  cancelRetry(): void;
}

/** Takes pictures from the caller's video. Processes packets only while a picture is pending, and then holds at most 2 MiB per source. */
export function createVideoReceiver({ peerVideo, clock }: VideoReceiverOptions): VideoReceiver {
  const pending = new Map<VideoSource, Pending>();
  const assemblers = { camera: createFrameAssembler(), screen: createFrameAssembler() };
  const off = new Set<VideoSource>();

  function begin(source: VideoSource): Pending {
    const started: Pending = { waiting: new Set(), requested: false, bytes: 0, cancelRetry: () => undefined };
    if (pending.size === 0) peerVideo()?.receive(true);
    pending.set(source, started);
    request(source, started);
    return started;
  }

  function request(source: VideoSource, to: Pending): void {
    const { receiving, bytes } = assemblers[source];
    if (!receiving || bytes === to.bytes) to.requested = peerVideo()?.requestKeyFrame(source) ?? false;
    to.bytes = bytes;
    to.cancelRetry = clock.after(retryMs, () => request(source, to));
  }

  function end(source: VideoSource): void {
    pending.get(source)?.cancelRetry();
    pending.delete(source);
    assemblers[source].clear();
    if (pending.size === 0) peerVideo()?.receive(false);
  }

  const callerVideo = createCallerVideo(clock, take);

  async function take(source: VideoSource, timeoutMs: number): Promise<Snapshot> {
    if (peerVideo()?.offered.includes(source) !== true)
      throw new RunnerError(
        "VIDEO_SOURCE_MISSING",
        `The caller's offer has no section for the ${source} that can send VP8.`,
        {
          fix: "Check transport.capabilities before you take pictures.",
        },
      );
    if (off.has(source))
      throw new RunnerError("VIDEO_OFF", `The caller's ${source} is off.`, { fix: "Ask the caller to turn it on." });
    const { waiting } = pending.get(source) ?? begin(source);
    const taken = Promise.withResolvers<Snapshot>();
    waiting.add(taken);
    const cancelTimeout = clock.after(timeoutMs, () =>
      taken.reject(
        new RunnerError("VIDEO_TIMED_OUT", `The caller's ${source} sent no complete picture within ${timeoutMs} ms.`, {
          fix: "The caller may have turned it off, or the network loses packets. Try again.",
        }),
      ),
    );
    try {
      return await taken.promise;
    } finally {
      cancelTimeout();
      waiting.delete(taken);
      if (waiting.size === 0 && pending.get(source)?.waiting === waiting) end(source);
    }
  }

  return {
    video: callerVideo.video,
    push(packet) {
      const { source } = packet;
      const waited = pending.get(source);
      if (waited === undefined) return;
      // The RTP source, which the request names, may have been unknown until now.
      if (!waited.requested) waited.requested = peerVideo()?.requestKeyFrame(source) ?? false;
      const frame = assemblers[source].push(packet);
      const size = frame && parseKeyFrame(frame);
      if (frame === undefined || size === undefined) return;
      const taken: Snapshot = { source, type: "image/webp", ...size, data: wrapInWebp(frame), atMs: Date.now() };
      const { waiting } = waited;
      end(source);
      for (const { resolve } of waiting) resolve(taken);
    },
    setEnabled(source, enabled) {
      if (enabled) off.delete(source);
      else off.add(source);
    },
    restart() {
      for (const [source, waited] of pending) {
        assemblers[source].clear();
        waited.requested = false;
      }
      if (pending.size > 0) peerVideo()?.receive(true);
    },
    close() {
      callerVideo.close();
      for (const [source, { waiting }] of pending) {
        end(source);
        for (const { reject } of waiting) reject(ended());
      }
    },
  };
}

function ended(): RunnerError {
  return new RunnerError("CALL_ENDED", "No picture was taken: the call is over.");
}
