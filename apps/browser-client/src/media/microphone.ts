import type { Line } from "./line.ts";

/** An open microphone that the bot hears. The browser shows that it is open until `close`. */
export interface Microphone {
  readonly track: MediaStreamTrack;
  close(): Promise<void>;
}

/**
 * Opens a microphone and puts it on `line`. Without `deviceId`, and when that one is gone, it is the browser's default.
 * Rejects with getUserMedia's DOMException when there is none or the person refuses.
 */
export async function pickUp(line: Line, deviceId?: string): Promise<Microphone> {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: {
      ...(deviceId === undefined ? {} : { deviceId: { ideal: deviceId } }),
      channelCount: 1,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    },
  });
  const [track] = stream.getAudioTracks();
  if (!track) throw new DOMException("The microphone gave no sound.", "NotFoundError");
  try {
    const putDown = await line.carry(track);
    const close = async () => {
      await putDown();
      track.stop();
    };
    return { track, close };
  } catch (error) {
    track.stop();
    throw error;
  }
}
