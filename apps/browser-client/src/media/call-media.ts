import { DeviceError } from "@pipecat-ai/client-js";
import { WavMediaManager } from "@pipecat-ai/websocket-transport";
import type { Line, OpenLine } from "./line.ts";
import { type Microphone, pickUp } from "./microphone.ts";
import { microphoneErrorType } from "./microphone-error.ts";

const caller = { id: "local", name: "", local: true };
const bot = { id: "bot", name: "", local: false };

/** What is open during one call. */
interface Call {
  line?: Line;
  microphone?: Microphone;
  /** Whether there is a bot yet to hear the caller: what is said before would reach it late, all at once. */
  connected?: boolean;
  /** The last change of the microphone, for the next to wait for: the last one asked for counts. */
  change?: Promise<void>;
}

/**
 * A call's microphone, and the line between it and the bot, as the Pipecat transports want them: opened when a call begins,
 * closed when it ends, as often as wanted.
 *
 * Without a microphone the call goes on: the bot is heard, and can be written to. `onDeviceError` is told.
 *
 * It is a `WavMediaManager` by type only, because the transports export no other class to extend. That one asks for the
 * microphone as the page loads, cannot end a call whose microphone was refused, plays nothing in the second call, and
 * keeps everything it recorded until the call ends.
 */
export class CallMedia extends WavMediaManager {
  readonly #openLine: OpenLine;
  #call: Call | undefined;
  #wantedDevice: string | undefined;
  #devices: MediaDeviceInfo[] = [];

  constructor(openLine: OpenLine) {
    super();
    this.#openLine = openLine;
  }

  override async initialize(): Promise<void> {
    if (this.#call) return;
    const call: Call = {};
    this.#call = call;
    const line = await this.#openLine(this._options.transport, (samples) => {
      if (call.connected) this._userAudioCallback?.(new Int16Array(samples).buffer);
    });
    if (this.#call !== call) return line.close();
    call.line = line;
    if (line.bot) this._callbacks.onTrackStarted?.(line.bot, bot);
    navigator.mediaDevices.addEventListener("devicechange", this.#listDevices);
    await this.#change(call, line);
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
    await Promise.all([this.#closeMicrophone(call), call.line?.close()]);
    if (call.line?.bot) this._callbacks.onTrackStopped?.(call.line.bot, bot);
  }

  override async userStartedSpeaking(): Promise<void> {
    this.#call?.line?.clear();
  }

  override bufferBotAudio(data: ArrayBuffer | Int16Array): Int16Array {
    const samples = new Int16Array(data.slice(0)); // the line takes its buffer over
    this.#call?.line?.play(samples);
    return samples;
  }

  /** Empty before the first call: asking for more would open the microphone. */
  override async getAllMics(): Promise<MediaDeviceInfo[]> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== "");
  }

  override get selectedMic(): MediaDeviceInfo | Record<string, never> {
    return this.#selectedDevice() ?? {};
  }

  override async updateMic(deviceId: string): Promise<void> {
    this.#wantedDevice = deviceId;
    const call = this.#call;
    if (call?.line) await this.#change(call, call.line);
  }

  override async enableMic(enable: boolean): Promise<void> {
    this._micEnabled = enable;
    if (this.#call?.microphone) this.#call.microphone.track.enabled = enable;
  }

  override tracks(): ReturnType<WavMediaManager["tracks"]> {
    const local = this.#call?.microphone?.track;
    const remote = this.#call?.line?.bot;
    return { local: local ? { audio: local } : {}, ...(remote ? { bot: { audio: remote } } : {}) };
  }

  #selectedDevice(): MediaDeviceInfo | undefined {
    const selected = this.#call?.microphone?.track.getSettings().deviceId ?? this.#wantedDevice;
    return this.#devices.find(({ deviceId }) => deviceId === selected);
  }

  /** Lets the bot hear the wanted microphone, instead of the one it heard. */
  async #change(call: Call, line: Line): Promise<void> {
    const before = call.change;
    call.change = (async () => {
      await before;
      await this.#closeMicrophone(call);
      if (this.#call === call) await this.#openMicrophone(call, line);
    })();
    await call.change;
  }

  async #openMicrophone(call: Call, line: Line): Promise<void> {
    try {
      const microphone = await pickUp(line, this.#wantedDevice);
      if (this.#call !== call) return microphone.close();
      call.microphone = microphone;
      // It was unplugged, or taken back: go on with the browser's default, or say that there is none.
      microphone.track.addEventListener("ended", () => void this.updateMic(""));
      microphone.track.enabled = this._micEnabled;
      this._callbacks.onTrackStarted?.(microphone.track, caller);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this._callbacks.onDeviceError?.(new DeviceError(["mic"], microphoneErrorType(error), message));
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
