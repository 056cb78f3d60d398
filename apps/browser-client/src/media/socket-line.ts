import type { Line } from "./line.ts";
import { openRecorder } from "./recorder.ts";
import { openSpeaker } from "./speaker.ts";

/** What Pipecat's WebSocket transport sends and plays, in Hz. */
export const recorderSampleRate = 16_000;
const playerSampleRate = 24_000;

/** The sound of a call over a WebSocket: samples both ways, recorded and played here. Mono PCM16. */
export async function openSocketLine(_transport: unknown, send: (samples: Int16Array) => void): Promise<Line> {
  const speaker = await openSpeaker(playerSampleRate);
  return {
    bot: speaker.track,
    async carry(microphone) {
      const recorder = await openRecorder(microphone, recorderSampleRate, send);
      return () => recorder.close();
    },
    play: speaker.write,
    clear: speaker.clear,
    close: speaker.close,
  };
}
