import { DeviceError, type Transport } from "@pipecat-ai/client-js";
import { WavMediaManager } from "@pipecat-ai/websocket-transport";
import { LocalVideo, type VideoSource } from "./local-video.ts";
import { type OpenTrack, openTrack } from "./open-track.ts";

/** The audio of one call over a particular transport. */
export interface CallAudio {
  /** The bot's audio for visualizers, if this object plays it. Visualizers play nothing. */
  readonly bot?: MediaStreamTrack | undefined;
  /** Sends the microphone to the bot. Resolves with a function that stops this. */
  attach(microphone: MediaStreamTrack): Promise<() => Promise<void>>;
  /** Plays the bot's PCM16 samples after all earlier ones. Takes ownership of the buffer. */
  play(samples: Int16Array): void;
  /** Drops the samples that were not played yet. */
  clear(): void;
  close(): Promise<void>;
}

/** Sends a track of the caller's camera or screen over `transport`. Resolves with a function that stops this. */
export type AttachVideo = (
  transport: Transport,
  source: VideoSource,
  track: MediaStreamTrack,
) => Promise<() => Promise<void>>;

/** Opens the audio of one call over `transport`. Calls `send` with samples that the transport must send itself. */
export type OpenCallAudio = (transport: Transport, send: (samples: Int16Array) => void) => Promise<CallAudio>;

const caller = { id: "local", name: "", local: true };
const bot = { id: "bot", name: "", local: false };

/** The resources of one call. */
interface Call {
  audio?: CallAudio;
  microphone?: OpenTrack;
  /** Whether the bot is connected. Earlier audio is not sent, because it would arrive late and all at once. */
  connected?: boolean;
  /** The last change of the microphone. Changes run one after the other, so the last requested one wins. */
  change?: Promise<void>;
}

/**
 * The media manager of the Pipecat transports. It opens the microphone and the call's audio when a call starts and closes
 * them when it ends, for any number of calls.
 *
 * If the microphone or the camera fails, it calls `onDeviceError` and the call continues without it.
 *
 * It extends `WavMediaManager` only for its type, because the transports export no other base class. `WavMediaManager` opens
 * the microphone when the page loads, cannot end a call whose microphone was denied, plays nothing in the second call, and
 * keeps the whole recording until the call ends.
 */
export class CallMedia extends WavMediaManager {
  readonly #openAudio: OpenCallAudio;
  readonly #video: LocalVideo | undefined;
  #call: Call | undefined;
  #requestedDevice: string | undefined;
  #devices: MediaDeviceInfo[] = [];

  constructor(openAudio: OpenCallAudio, attachVideo?: AttachVideo) {
    super();
    this.#openAudio = openAudio;
    if (!attachVideo) return;
    // Phones cannot share their screen.
    this._supportsScreenShare = "getDisplayMedia" in navigator.mediaDevices;
    this.#video = new LocalVideo({
      attach: (source, track) => attachVideo(this._options.transport, source, track),
      onStarted: (source, track) =>
        source === "camera"
          ? this._callbacks.onTrackStarted?.(track, caller)
          : this._callbacks.onScreenTrackStarted?.(track, caller),
      onStopped: (source, track) =>
        source === "camera"
          ? this._callbacks.onTrackStopped?.(track, caller)
          : this._callbacks.onScreenTrackStopped?.(track, caller),
      onEnded: (source, error) => this.#endVideo(source, error),
    });
  }

  override async initialize(): Promise<void> {
    if (this.#call) return;
    const call: Call = {};
    this.#call = call;
    const audio = await this.#openAudio(this._options.transport, (samples) => {
      if (call.connected) this._userAudioCallback?.(new Int16Array(samples).buffer);
    });
    if (this.#call !== call) return audio.close();
    call.audio = audio;
    if (audio.bot) this._callbacks.onTrackStarted?.(audio.bot, bot);
    navigator.mediaDevices.addEventListener("devicechange", this.#listDevices);
    await this.#changeMicrophone(call, audio);
  }

  override async connect(): Promise<void> {
    await this.initialize();
    if (this.#call) this.#call.connected = true;
  }

  override async disconnect(): Promise<void> {
    const call = this.#call;
    if (!call) return;
    this.#call = undefined;
    navigator.mediaDevices.removeEventListener("devicechange", this.#listDevices);
    await Promise.all([this.#closeMicrophone(call), call.audio?.close(), this.#video?.close()]);
    if (call.audio?.bot) this._callbacks.onTrackStopped?.(call.audio.bot, bot);
  }

  override async userStartedSpeaking(): Promise<void> {
    this.#call?.audio?.clear();
  }

  override bufferBotAudio(data: ArrayBuffer | Int16Array): Int16Array {
    const samples = new Int16Array(data.slice(0)); // play() takes ownership of the buffer
    this.#call?.audio?.play(samples);
    return samples;
  }

  /** Empty before the first call, because labels require an open microphone. */
  override async getAllMics(): Promise<MediaDeviceInfo[]> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== "");
  }

  override get selectedMic(): MediaDeviceInfo | Record<string, never> {
    return this.#selectedDevice() ?? {};
  }

  override async updateMic(deviceId: string): Promise<void> {
    this.#requestedDevice = deviceId;
    const call = this.#call;
    if (call?.audio) await this.#changeMicrophone(call, call.audio);
  }

  override async enableMic(enable: boolean): Promise<void> {
    this._micEnabled = enable;
    if (this.#call?.microphone) this.#call.microphone.track.enabled = enable;
  }

  override enableCam(enable: boolean): void {
    void this.#video?.enable("camera", enable);
  }

  override enableScreenShare(enable: boolean): void {
    void this.#video?.enable("screen", enable);
  }

  override get isCamEnabled(): boolean {
    return this.#video?.isEnabled("camera") ?? false;
  }

  override get isSharingScreen(): boolean {
    return this.#video?.isEnabled("screen") ?? false;
  }

  override tracks(): ReturnType<WavMediaManager["tracks"]> {
    const audio = this.#call?.microphone?.track;
    const video = this.#video?.track("camera");
    const screenVideo = this.#video?.track("screen");
    const remote = this.#call?.audio?.bot;
    const local = { ...(audio && { audio }), ...(video && { video }), ...(screenVideo && { screenVideo }) };
    return { local, ...(remote ? { bot: { audio: remote } } : {}) };
  }

  /** The transport tells the bot that a source is off. The user may also cancel the choice of a screen, which is not an error. */
  #endVideo(source: VideoSource, error: unknown): void {
    const { transport } = this._options;
    if (source === "screen") {
      transport.enableScreenShare(false);
      return;
    }
    transport.enableCam(false);
    if (error === undefined) return;
    const message = error instanceof Error ? error.message : String(error);
    this._callbacks.onDeviceError?.(new DeviceError(["cam"], deviceErrorType(error), message));
  }

  #selectedDevice(): MediaDeviceInfo | undefined {
    const selected = this.#call?.microphone?.track.getSettings().deviceId ?? this.#requestedDevice;
    return this.#devices.find(({ deviceId }) => deviceId === selected);
  }

  /** Replaces the open microphone with the requested one. */
  async #changeMicrophone(call: Call, audio: CallAudio): Promise<void> {
    const previous = call.change;
    call.change = (async () => {
      await previous;
      await this.#closeMicrophone(call);
      if (this.#call === call) await this.#openMicrophone(call, audio);
    })();
    await call.change;
  }

  async #openMicrophone(call: Call, audio: CallAudio): Promise<void> {
    try {
      const microphone = await openMicrophone(audio, this.#requestedDevice);
      if (this.#call !== call) return microphone.close();
      call.microphone = microphone;
      // It was unplugged or its permission revoked: use the browser's default, or report an error.
      microphone.track.addEventListener("ended", () => void this.updateMic(""));
      microphone.track.enabled = this._micEnabled;
      this._callbacks.onTrackStarted?.(microphone.track, caller);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this._callbacks.onDeviceError?.(new DeviceError(["mic"], deviceErrorType(error), message));
      return;
    }
    await this.#listDevices();
  }

  async #closeMicrophone(call: Call): Promise<void> {
    const { microphone } = call;
    delete call.microphone;
    if (!microphone) return;
    await microphone.close();
    this._callbacks.onTrackStopped?.(microphone.track, caller);
  }

  readonly #listDevices = async (): Promise<void> => {
    this.#devices = await this.getAllMics();
    this._callbacks.onAvailableMicsUpdated?.(this.#devices);
    const selected = this.#selectedDevice();
    if (selected) this._callbacks.onMicUpdated?.(selected);
  };
}

/**
 * Opens a microphone and attaches it to `audio`. Uses the browser's default if `deviceId` is missing or not available.
 * Rejects with getUserMedia's DOMException if there is none or the user denies access.
 */
async function openMicrophone(audio: CallAudio, deviceId?: string): Promise<OpenTrack> {
  const stream = await openStream(deviceId);
  return await openTrack(stream.getAudioTracks(), "microphone", (track) => audio.attach(track));
}

/** Requests the device as `exact`: as an ideal, the browser may prefer the default if it fits the other constraints better. */
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

/** Converts getUserMedia's error to the type that the Pipecat client expects. */
function deviceErrorType(error: unknown): DeviceError["type"] {
  if (!(error instanceof Error)) return "unknown";
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "permissions";
    case "NotFoundError":
      return "not-found";
    case "NotReadableError":
    case "AbortError":
      return "in-use";
    case "OverconstrainedError":
      return "constraints";
    default:
      return "unknown";
  }
}
