import {
  type BotReadyData,
  LogLevel,
  PipecatClient,
  type PipecatClientOptions,
  RTVIMessage,
  Transport,
  type TransportState,
} from "@pipecat-ai/client-js";
import type { BrowserCaller } from "./call-machine/browser-rooms.ts";

/** For tests: Pipecat's own client on somebody's seat in a room. Resolves with what the bot said when both were ready. */
export async function connectRtviClient(caller: BrowserCaller): Promise<BotReadyData> {
  // client-js asks the window who the user agent is.
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
  class SeatTransport extends Transport {
    #taken = caller.messages.length;
    #polling: NodeJS.Timeout | undefined;

    initialize(options: PipecatClientOptions, onMessage: (message: RTVIMessage) => void): void {
      this._options = options;
      this._callbacks = options.callbacks ?? {};
      this.#polling = setInterval(() => {
        for (const message of caller.messages.slice(this.#taken)) {
          this.#taken += 1;
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
  return new SeatTransport();
}
