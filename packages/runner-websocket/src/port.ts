import { type CallerSocket, type MediaPort, RunnerError } from "@pipecat-ts/runner-core";
import type { WebSocketParams } from "./arguments.ts";
import { type Decoder, encodeAudio, encodeInterruption, encodeMessage, encodeText } from "./codec.ts";
import type { EvalCamera } from "./eval-camera.ts";
import { encodeBotAudio } from "./rtvi-json.ts";

/**
 * One call on an open WebSocket. Pipecat's client cannot drop audio that it has received, so no audio is sent ahead of real time: an
 * interruption leaves the caller no more than the current frame. `caller` says in which format the caller speaks. If it is an eval
 * harness, `camera` is its camera. Throws OPTION_INVALID.
 */
export function createWebSocketPort(
  socket: Pick<CallerSocket, "send" | "write" | "close" | "bufferedBytes">,
  { audioOutSampleRate = 24_000, videoInEnabled = false }: WebSocketParams,
  caller: Pick<Decoder, "format" | "evals">,
  camera: EvalCamera,
): MediaPort {
  if (!Number.isInteger(audioOutSampleRate / 25) || audioOutSampleRate < 8_000 || audioOutSampleRate > 192_000) {
    throw new RunnerError("OPTION_INVALID", `audioOutSampleRate of "websocket" cannot be ${audioOutSampleRate}.`, {
      fix: "Use a multiple of 25 from 8,000 to 192,000 Hz: the rate at which the client plays.",
    });
  }
  const videoIn = videoInEnabled && caller.evals !== undefined;
  return {
    sampleRates: [audioOutSampleRate],
    frameMs: 40,
    capabilities: { audioOut: !caller.evals?.skipTts, videoIn },
    extend: () => (videoIn ? { video: camera.video } : {}),
    send(frame) {
      if (caller.format !== "json") socket.send(encodeAudio(frame));
      else if (caller.evals?.captureBotAudio) socket.send(encodeBotAudio(frame));
    },
    clear() {
      if (caller.format !== "json") socket.send(encodeInterruption());
    },
    async sendMessage(message) {
      await socket.write(caller.format === "json" ? encodeText(message) : encodeMessage(message));
    },
    bufferedBytes: () => socket.bufferedBytes,
    async close(reason, deadline) {
      camera.close();
      await socket.close(reason, deadline);
    },
  };
}
