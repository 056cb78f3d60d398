import type { MediaPort } from "@pipecat-ts/runner-media";
import type { CallCodec } from "./codec.ts";
import type { Line } from "./line.ts";

/** A mark costs as much as a frame. Between two, the carrier's buffer, which all of them have, plays on. */
const markEveryMs = 200;

/** One call's wire: JSON, sent ahead of real time since carriers buffer and can clear. */
export function createPhonePort(line: Line, codec: CallCodec): MediaPort {
  return {
    sampleRates: [codec.botSampleRate],
    frameMs: codec.frameMs ?? 40,
    sendAheadMs: codec.sendAheadMs ?? 160,
    markEveryMs,
    send: ({ samples }) => line.send(codec.encodeAudio(samples)),
    clear: () => line.send(codec.encodeClear()),
    mark: (mark) => line.send(codec.encodeMark(mark)),
    bufferedBytes: () => line.bufferedBytes,
    close: (reason) => line.end(reason),
  };
}
