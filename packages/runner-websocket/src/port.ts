import { type CallerSocket, type MediaPort, RunnerError } from "@pipecat-ts/runner-core";
import type { WebSocketParams } from "./arguments.ts";
import { encodeAudio, encodeInterruption, encodeMessage } from "./codec.ts";

/**
 * One call on an open WebSocket. Pipecat's client cannot drop audio that it has received, so no audio is sent ahead of real time: an
 * interruption leaves the caller no more than the current frame. Throws OPTION_INVALID.
 */
export function createWebSocketPort(socket: CallerSocket, { audioOutSampleRate = 24_000 }: WebSocketParams): MediaPort {
  if (!Number.isInteger(audioOutSampleRate / 25) || audioOutSampleRate < 8_000 || audioOutSampleRate > 192_000) {
    throw new RunnerError("OPTION_INVALID", `audioOutSampleRate of "websocket" cannot be ${audioOutSampleRate}.`, {
      fix: "Use a multiple of 25 from 8,000 to 192,000 Hz: the rate at which the client plays.",
    });
  }
  return {
    sampleRates: [audioOutSampleRate],
    frameMs: 40,
    send: (frame) => socket.send(encodeAudio(frame)),
    clear: () => socket.send(encodeInterruption()),
    sendMessage: async (message) => await socket.write(encodeMessage(message)),
    bufferedBytes: () => socket.bufferedBytes,
    close: (reason, deadline) => socket.close(reason, deadline),
  };
}
