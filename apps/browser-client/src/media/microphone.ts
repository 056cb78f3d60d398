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
  const stream = await openStream(deviceId);
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

/** Asked for as an ideal among others, the device would lose to the default where that fits the others better. */
async function openStream(deviceId?: string): Promise<MediaStream> {
  const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  const { mediaDevices } = navigator;
  if (!deviceId) return mediaDevices.getUserMedia({ audio });
  try {
    return await mediaDevices.getUserMedia({ audio: { ...audio, deviceId: { exact: deviceId } } });
  } catch (error) {
    if (error instanceof Error && error.name === "OverconstrainedError") return openStream();
    throw error;
  }
}
