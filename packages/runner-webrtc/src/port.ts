import type { MediaPort, Pacer } from "@pipecat-ts/runner-media";
import type { Connection } from "./connection.ts";
import type { Opus, OpusSettings } from "./voice/opus.ts";
import { createOutgoingAudio } from "./voice/outgoing-audio.ts";

/** What a WebRTC port is set to. */
export interface WebRTCPortOptions extends OpusSettings {
  readonly opus: Opus;
  readonly pacer: Pacer;
}

/**
 * How long silence follows the bot's last word before the call is closed: a client drops what its jitter buffer holds as
 * the call ends, and would swallow that word.
 */
const lastWordMs = 200;

/** One call over a connection. The wire wants a packet every 20 ms: clients show a track only once something comes on it. */
export function createWebRTCPort(connection: Connection, { opus, pacer, ...settings }: WebRTCPortOptions): MediaPort {
  const timestamp = connection.beginVoice();
  const voice = createOutgoingAudio({ ...settings, opus, timestamp, send: connection.sendAudio });
  connection.onLoss(voice.reportLoss);

  function letItBeHeard(): Promise<void> {
    const [sampleRate] = voice.sampleRates;
    const silence = { samples: new Int16Array(sampleRate / 50), sampleRate, channels: 1 };
    return new Promise((resolve) => {
      let left = lastWordMs / 20;
      const stop = pacer.every(20, () => {
        voice.send(silence);
        left -= 1;
        if (left > 0) return;
        stop();
        resolve();
      });
    });
  }

  return {
    sampleRates: voice.sampleRates,
    frameMs: 20,
    continuous: true,
    send: voice.send,
    clear: voice.clear,
    sendMessage: connection.sendMessage,
    async close(reason) {
      if (reason === "bot-finished" && connection.state === "connected") await letItBeHeard();
      voice.close();
      await connection.close(reason);
    },
  };
}
