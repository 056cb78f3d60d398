import { createResampler } from "@pipecat-ts/audio";
import recorderUrl from "./recorder.worklet.ts?worker&url";

/** An open microphone. The browser shows that it is open until `close`. */
export interface Microphone {
  readonly track: MediaStreamTrack;
  close(): Promise<void>;
}

/**
 * Opens a microphone and gives what it hears as PCM16 chunks of 20 ms at `sampleRate` (Hz), mono. A disabled track gives
 * silence. Without `deviceId`, and when that one is gone, it is the browser's default. Rejects with getUserMedia's
 * DOMException when there is none or the person refuses.
 */
export async function openMicrophone(
  sampleRate: number,
  onSamples: (samples: Int16Array) => void,
  deviceId?: string,
): Promise<Microphone> {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: {
      ...(deviceId === undefined ? {} : { deviceId: { ideal: deviceId } }),
      channelCount: 1,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    },
  });
  // The context runs at the device's rate, since not every browser takes a stream into a context of another one.
  const context = new AudioContext();
  const close = async () => {
    for (const track of stream.getTracks()) track.stop();
    await context.close();
  };
  try {
    const [track] = stream.getAudioTracks();
    if (!track) throw new DOMException("The microphone gave no sound.", "NotFoundError");
    const resampler = createResampler({ fromRate: context.sampleRate, toRate: sampleRate });
    await context.audioWorklet.addModule(recorderUrl);
    const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }: MessageEvent<Int16Array>) => onSamples(resampler.process(data));
    context.createMediaStreamSource(stream).connect(recorder);
    return { track, close };
  } catch (error) {
    await close();
    throw error;
  }
}
