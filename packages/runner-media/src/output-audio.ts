import type { AudioFrame } from "@pipecat-ts/audio";
import type { DropCounters } from "./counters.ts";
import { createFrameReader, type FrameReader } from "./frame-reader.ts";

/** The readers of the bot's audio as it is sent. */
export interface OutputAudio {
  listen(): ReadableStream<AudioFrame>;
  sent(frame: AudioFrame): void;
  /** Closes all readers when they have read what is queued. */
  end(): void;
}

export function createOutputAudio(drops: DropCounters): OutputAudio {
  const readers = new Set<FrameReader>();
  let ended = false;
  return {
    listen() {
      const reader = createFrameReader(() => readers.delete(reader));
      if (ended) reader.end();
      else readers.add(reader);
      return reader.stream;
    },
    sent(frame) {
      for (const reader of readers) if (reader.push(frame)) drops.counters.outputUnread += 1;
    },
    end() {
      ended = true;
      for (const reader of readers) reader.end();
      readers.clear();
    },
  };
}
