import { createResampler } from "@pipecat-ts/audio";
import recorderUrl from "./recorder.worklet.ts?worker&url";

/** Takes samples from a track until it is closed. */
export interface Recorder {
  close(): Promise<void>;
}

/** Gives what `track` hears as PCM16 chunks of 20 ms at `sampleRate` (Hz), mono. A disabled track gives silence. */
export async function openRecorder(
  track: MediaStreamTrack,
  sampleRate: number,
  onSamples: (samples: Int16Array) => void,
): Promise<Recorder> {
  // The context runs at the device's rate, since not every browser takes a stream into a context of another one.
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
