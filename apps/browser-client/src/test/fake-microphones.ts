import { vi } from "vitest";

/** A microphone's track, open until it is stopped. */
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

/** What stands in for the browser's microphones. */
export interface FakeMicrophones {
  /** Every track that was opened, in order. */
  readonly opened: readonly FakeTrack[];
  /** Lets the next attempts fail with this, or succeed again. */
  refuse(error: Error | undefined): void;
}

/** Puts two microphones, `built-in` (the default) and `headset`, in place of the browser's own until the test ends. */
export function fakeMicrophones(): FakeMicrophones {
  const opened: FakeTrack[] = [];
  const devices = ["built-in", "headset"];
  let refusal: Error | undefined;
  const mediaDevices = Object.assign(new EventTarget(), {
    enumerateDevices: async () => devices.map((deviceId) => ({ kind: "audioinput", deviceId })),
    async getUserMedia({ audio }: { audio: { deviceId?: { exact: string } } }) {
      if (refusal) throw refusal;
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
    refuse(error) {
      refusal = error;
    },
  };
}
