import type { AudioFrame } from "@pipecat-ts/audio";

/** How many frames of 20 ms wait for a reader: 500 ms. */
export const readerFrames = 25;

/** One reader of the caller's voice: a stream with a queue of its own, of which the oldest gives way. */
export interface FrameReader {
  readonly stream: ReadableStream<AudioFrame>;
  /** Gives the reader a frame; `false` when an older one was dropped for it. */
  give(frame: AudioFrame): boolean;
  /** No more comes: the stream closes when what waits was read. */
  end(): void;
}

/** A reader; `onCancel` is called when whoever reads wants no more. */
export function createFrameReader(onCancel: () => void): FrameReader {
  let waiting: AudioFrame[] = [];
  let wanted = false;
  let ended = false;
  let controller: ReadableStreamDefaultController<AudioFrame>;

  const stream = new ReadableStream<AudioFrame>(
    {
      start(started) {
        controller = started;
      },
      pull() {
        const next = waiting.shift();
        if (next) controller.enqueue(next);
        else if (ended) controller.close();
        else wanted = true;
      },
      cancel() {
        waiting = [];
        ended = true;
        onCancel();
      },
    },
    // Nothing waits in the stream itself, where the oldest could not be taken out again.
    { highWaterMark: 0 },
  );

  return {
    stream,
    give(frame) {
      if (ended) return true;
      if (wanted) {
        wanted = false;
        controller.enqueue(frame);
        return true;
      }
      waiting.push(frame);
      if (waiting.length <= readerFrames) return true;
      waiting.shift();
      return false;
    },
    end() {
      if (ended) return;
      ended = true;
      if (waiting.length === 0) controller.close();
    },
  };
}
