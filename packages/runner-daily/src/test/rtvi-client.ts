import {
  type BotReadyData,
  LogLevel,
  PipecatClient,
  type PipecatClientOptions,
  RTVIMessage,
  Transport,
  type TransportState,
} from "@pipecat-ai/client-js";
import type { BrowserCaller } from "./browser-rooms.ts";

/** Runs Pipecat's client over the app messages of a caller. Resolves with the bot's `bot-ready` data. */
export async function connectRtviClient(caller: BrowserCaller): Promise<BotReadyData> {
  // client-js reads the user agent from `window`.
  const globals = globalThis as { window?: unknown };
  globals.window ??= {};
  const client = new PipecatClient({ transport: createTransport(caller) });
  client.setLogLevel(LogLevel.NONE);
  try {
    return await client.connect();
  } finally {
    await client.disconnect();
    delete globals.window;
  }
}

function createTransport(caller: BrowserCaller): Transport {
  class CallerTransport extends Transport {
    #delivered = caller.messages.length;
    #polling: NodeJS.Timeout | undefined;

    initialize(options: PipecatClientOptions, onMessage: (message: RTVIMessage) => void): void {
      this._options = options;
      this._callbacks = options.callbacks ?? {};
      this.#polling = setInterval(() => {
        for (const message of caller.messages.slice(this.#delivered)) {
          this.#delivered += 1;
          onMessage(message as RTVIMessage);
        }
      }, 10);
    }
    sendReadyMessage(): void {
      this.state = "ready";
      this.sendMessage(RTVIMessage.clientReady());
    }
    sendMessage(message: RTVIMessage): void {
      caller.sendMessage(message);
    }
    get state(): TransportState {
      return this._state;
    }
    set state(state: TransportState) {
      this._state = state;
      this._callbacks.onTransportStateChanged?.(state);
    }
    async initDevices(): Promise<void> {
      this.state = "initialized";
    }
    _validateConnectionParams(): undefined {
      return undefined;
    }
    async _connect(): Promise<void> {
      this.state = "connected";
    }
    async _disconnect(): Promise<void> {
      clearInterval(this.#polling);
      this.state = "disconnected";
    }
    getAllMics = async (): Promise<never[]> => [];
    getAllCams = async (): Promise<never[]> => [];
    getAllSpeakers = async (): Promise<never[]> => [];
    updateMic = (): void => undefined;
    updateCam = (): void => undefined;
    updateSpeaker = (): void => undefined;
    enableMic = (): void => undefined;
    enableCam = (): void => undefined;
    enableScreenShare = (): void => undefined;
    selectedMic = {};
    selectedCam = {};
    selectedSpeaker = {};
    isCamEnabled = false;
    isMicEnabled = false;
    isSharingScreen = false;
    tracks = () => ({ local: {} });
  }
  return new CallerTransport();
}
