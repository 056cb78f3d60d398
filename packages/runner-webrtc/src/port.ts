import { type MediaPort, type Pacer, RunnerError } from "@pipecat-ts/runner-core";
import type { WebRTCParams } from "./arguments.ts";
import type { Connection } from "./connection.ts";
import type { Opus } from "./voice/opus.ts";
import { createOutgoingAudio } from "./voice/outgoing-audio.ts";

export interface WebRTCPortOptions {
  readonly params: WebRTCParams;
  readonly opus: Opus;
  readonly pacer: Pacer;
}

/** Duration of the silence after the bot's last words: a client drops its jitter buffer, and with it the last words, when the call ends. */
const trailingSilenceMs = 200;

/** Opens a caller's connection for the bot. Throws OPTION_INVALID for params out of range. */
export function openWebRTCPort(connection: Connection, { params, opus, pacer }: WebRTCPortOptions): MediaPort {
  const { audioInEnabled = true, audioInSampleRate = 16_000, videoInEnabled = false } = params;
  const { audioOutBitrate: bitrate, audioOutComplexity: complexity, audioOutDtx: dtx } = params;
  requireRange("audioOutBitrate", bitrate, 6_000, 510_000);
  requireRange("audioOutComplexity", complexity, 0, 10);
  connection.setInputSampleRate(audioInEnabled ? audioInSampleRate : 0);
  const timestamp = connection.endKeepalive();
  const audio = createOutgoingAudio({ bitrate, complexity, dtx, opus, timestamp, send: connection.sendAudio });
  connection.onLoss(audio.reportLoss);
  const video = videoInEnabled ? { video: connection.acceptVideo() } : {};
  const sources = videoInEnabled ? connection.videoSources : [];

  function sendTrailingSilence(deadline: AbortSignal): Promise<void> {
    const [sampleRate] = audio.sampleRates;
    const silence = { samples: new Int16Array(sampleRate / 50), sampleRate, channels: 1 };
    return new Promise((resolve) => {
      let frames = trailingSilenceMs / 20;
      const stop = pacer.every(20, () => {
        audio.send(silence);
        frames -= 1;
        if (frames > 0 && !deadline.aborted) return;
        stop();
        resolve();
      });
    });
  }

  return {
    sampleRates: audio.sampleRates,
    frameMs: 20,
    // Clients show a track only when packets arrive on it.
    continuous: true,
    capabilities: { videoIn: sources.includes("camera"), screenIn: sources.includes("screen") },
    extend: () => video,
    send: audio.send,
    clear: audio.clear,
    sendMessage: connection.sendMessage,
    // While a caller that lost the network connects again, nothing is sent: audio counts as dropped, not as played.
    bufferedBytes: () => (connection.state === "connected" ? 0 : Number.POSITIVE_INFINITY),
    async close(reason, deadline) {
      if ((reason === "bot-finished" || reason === "time-limit") && connection.state === "connected")
        await sendTrailingSilence(deadline);
      audio.close();
      await connection.close(reason, deadline);
    },
  };
}

function requireRange(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw new RunnerError("OPTION_INVALID", `The webrtc param ${name} cannot be ${value}.`, {
    fix: `Use a whole number from ${min} to ${max}.`,
  });
}
