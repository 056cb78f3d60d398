/** A track of a microphone, camera or screen that is being sent. */
export interface OpenTrack {
  readonly track: MediaStreamTrack;
  /** Stops sending it, and turns the device off. */
  close(): Promise<void>;
}

/**
 * Sends the first track with `attach`, which resolves with a function that stops this. If that fails, the device is turned off.
 * The error for a missing track has `name`.
 */
export async function openTrack(
  [track]: readonly MediaStreamTrack[],
  name: string,
  attach: (track: MediaStreamTrack) => Promise<() => Promise<void>>,
): Promise<OpenTrack> {
  if (!track) throw new DOMException(`The ${name} has no track.`, "NotFoundError");
  try {
    const detach = await attach(track);
    const close = async () => {
      await detach();
      track.stop();
    };
    return { track, close };
  } catch (error) {
    track.stop();
    throw error;
  }
}
