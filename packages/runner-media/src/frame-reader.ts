import type { AudioFrame } from "@pipecat-ts/audio";

/** Frames that are buffered for a reader: 500 ms of 20 ms. */
export const bufferedFrames = 25;

/** One reader of audio: a stream with its own queue, which drops the oldest frame when full. */
export interface FrameReader {
  readonly stream: ReadableStream<AudioFrame>;
  /**
   * Enqueues a frame. Returns whether an older frame was dropped for it: `late` if the reader fell behind, `unread` if it has
   * not read 500 ms yet.
   */
  push(frame: AudioFrame): "late" | "unread" | undefined;
  /** Closes the stream when its queue has been read. */
  end(): void;
}

export function createFrameReader(onCancel: () => void): FrameReader {
  let queue: AudioFrame[] = [];
  /** Frames that were read. */
  let reads = 0;
  let wanted = false;
  let ended = false;
  let controller: ReadableStreamDefaultController<AudioFrame>;

  const stream = new ReadableStream<AudioFrame>(
    {
      start(opened) {
        controller = opened;
      },
      pull() {
        reads += 1;
        const next = queue.shift();
        if (next) controller.enqueue(next);
        else if (ended) controller.close();
        else wanted = true;
      },
      cancel() {
        queue = [];
        ended = true;
        onCancel();
      },
    },
    // The stream itself buffers nothing: the oldest frame could not be taken out of it.
    { highWaterMark: 0 },
  );

  return {
    stream,
    push(frame) {
      if (ended) return undefined;
      if (wanted) {
        wanted = false;
        controller.enqueue(frame);
        return undefined;
      }
      queue.push(frame);
      if (queue.length <= bufferedFrames) return undefined;
      queue.shift();
      return reads > bufferedFrames ? "late" : "unread";
    },
    end() {
      if (ended) return;
      ended = true;
      if (queue.length === 0) controller.close();
    },
  };
}
