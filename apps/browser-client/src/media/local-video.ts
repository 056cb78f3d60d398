import { type OpenTrack, openTrack } from "./open-track.ts";

/** What a caller can show to the bot. */
export type VideoSource = "camera" | "screen";

export interface LocalVideoOptions {
  /** Sends a track to the bot. Resolves with a function that stops this. */
  attach(source: VideoSource, track: MediaStreamTrack): Promise<() => Promise<void>>;
  onStarted(source: VideoSource, track: MediaStreamTrack): void;
  onStopped(source: VideoSource, track: MediaStreamTrack): void;
  /** The browser or the user ended the track, or did not open it: `error` is the DOMException then. */
  onEnded(source: VideoSource, error?: unknown): void;
}

/** The camera and screen of one call. The browser shows each as in use until it is turned off. */
export class LocalVideo {
  readonly #options: LocalVideoOptions;
  readonly #wanted = new Set<VideoSource>();
  readonly #open = new Map<VideoSource, OpenTrack>();
  /** The last change. Changes run one after the other, so the last requested one wins. */
  #change: Promise<void> = Promise.resolve();

  constructor(options: LocalVideoOptions) {
    this.#options = options;
  }

  track(source: VideoSource): MediaStreamTrack | undefined {
    return this.#open.get(source)?.track;
  }

  isEnabled(source: VideoSource): boolean {
    return this.#wanted.has(source);
  }

  /** Resolves when the track is open or closed, or failed to open. */
  async enable(source: VideoSource, enable: boolean): Promise<void> {
    if (enable) this.#wanted.add(source);
    else this.#wanted.delete(source);
    this.#change = this.#change.then(() => this.#apply(source));
    await this.#change;
  }

  async close(): Promise<void> {
    await Promise.all([this.enable("camera", false), this.enable("screen", false)]);
  }

  async #apply(source: VideoSource): Promise<void> {
    const open = this.#open.get(source);
    if (this.#wanted.has(source) === (open !== undefined)) return;
    if (open) {
      this.#open.delete(source);
      await open.close();
      this.#options.onStopped(source, open.track);
      return;
    }
    try {
      const stream = await openStream(source);
      const opened = await openTrack(stream.getVideoTracks(), source, (track) => this.#options.attach(source, track));
      // It was turned off while the browser asked the user.
      if (!this.#wanted.has(source)) return await opened.close();
      this.#open.set(source, opened);
      opened.track.addEventListener("ended", () => this.#end(source));
      this.#options.onStarted(source, opened.track);
    } catch (error) {
      this.#end(source, error);
    }
  }

  #end(source: VideoSource, error?: unknown): void {
    this.#wanted.delete(source);
    this.#options.onEnded(source, error);
  }
}

/** Few pictures per second: the bot takes single ones, and the bitrate then suffices for sharp ones. */
function openStream(source: VideoSource): Promise<MediaStream> {
  const { mediaDevices } = navigator;
  if (source === "screen") return mediaDevices.getDisplayMedia({ video: { frameRate: 5 } });
  return mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: 15 } });
}
