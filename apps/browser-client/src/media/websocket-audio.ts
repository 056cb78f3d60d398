import { createResampler } from "@pipecat-ts/audio";
import type { CallAudio } from "./call-media.ts";
import playerUrl from "./player.worklet.ts?worker&url";
import recorderUrl from "./recorder.worklet.ts?worker&url";

/** The sample rates of Pipecat's WebSocket transport, in Hz. */
export const recorderSampleRate = 16_000;
const playerSampleRate = 24_000;

/** The audio of a WebSocket call: records and plays mono PCM16 samples. */
export async function openWebSocketAudio(_transport: unknown, send: (samples: Int16Array) => void): Promise<CallAudio> {
  const player = await openPlayer(playerSampleRate);
  return {
    bot: player.track,
    async attach(microphone) {
      const recorder = await openRecorder(microphone, recorderSampleRate, send);
      return () => recorder.close();
    },
    play: player.play,
    clear: player.clear,
    close: player.close,
  };
}

/** Opens the default audio output for mono PCM16 samples at `sampleRate` (Hz). */
async function openPlayer(sampleRate: number) {
  const context = new AudioContext({ sampleRate, latencyHint: "interactive" });
  try {
    await context.audioWorklet.addModule(playerUrl);
  } catch (error) {
    await context.close();
    throw error;
  }
  const player = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
  const visualized = context.createMediaStreamDestination();
  player.connect(context.destination);
  player.connect(visualized);
  // Without a user gesture on the page, the browser delays this until the first one. Nothing waits for it.
  void context.resume();
  return {
    track: visualized.stream.getAudioTracks()[0],
    play: (samples: Int16Array) => player.port.postMessage(samples, [samples.buffer]),
    clear: () => player.port.postMessage(null),
    close: () => context.close(),
  };
}

/** Records `track` as mono PCM16 chunks of 20 ms at `sampleRate` (Hz). A disabled track gives silence. */
async function openRecorder(track: MediaStreamTrack, sampleRate: number, onSamples: (samples: Int16Array) => void) {
  // Uses the device's rate, because not every browser connects a stream to a context with another rate.
  const context = new AudioContext();
  try {
    const resampler = createResampler({ fromRate: context.sampleRate, toRate: sampleRate });
    await context.audioWorklet.addModule(recorderUrl);
    const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }: MessageEvent<Int16Array>) => onSamples(resampler.process(data));
    context.createMediaStreamSource(new MediaStream([track])).connect(recorder);
  } catch (error) {
    await context.close();
    throw error;
  }
  return { close: () => context.close() };
}
