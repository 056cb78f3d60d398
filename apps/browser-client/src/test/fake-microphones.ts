import { vi } from "vitest";

/** The track of a microphone. It is live until it is stopped. */
export class FakeTrack extends EventTarget {
  readonly kind = "audio";
  readonly deviceId: string;
  enabled = true;
  readyState = "live";

  constructor(deviceId: string) {
    super();
    this.deviceId = deviceId;
  }

  stop(): void {
    this.readyState = "ended";
  }

  getSettings(): { readonly deviceId: string } {
    return { deviceId: this.deviceId };
  }
}

/** Replaces the browser's microphones. */
export interface FakeMicrophones {
  /** All opened tracks, in order. */
  readonly opened: readonly FakeTrack[];
  /** Makes the next attempts fail with this error, or succeed again. */
  failWith(error: Error | undefined): void;
}

/** Replaces the browser's microphones with `built-in` (the default) and `headset` until the test ends. */
export function fakeMicrophones(): FakeMicrophones {
  const opened: FakeTrack[] = [];
  const devices = ["built-in", "headset"];
  let failure: Error | undefined;
  const mediaDevices = Object.assign(new EventTarget(), {
    enumerateDevices: async () => devices.map((deviceId) => ({ kind: "audioinput", deviceId })),
    async getUserMedia({ audio }: { audio: { deviceId?: { exact: string } } }) {
      if (failure) throw failure;
      const deviceId = audio.deviceId?.exact ?? "built-in";
      if (!devices.includes(deviceId)) throw new DOMException("", "OverconstrainedError");
      const track = new FakeTrack(deviceId);
      opened.push(track);
      return { getAudioTracks: () => [track] };
    },
  });
  vi.stubGlobal("navigator", { mediaDevices });
  return {
    opened,
    failWith(error) {
      failure = error;
    },
  };
}
