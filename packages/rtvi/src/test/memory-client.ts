import type { PipecatClient, PipecatClientOptions, RTVIMessage, TransportState } from "@pipecat-ai/client-js";
import type { FakeTransport } from "./fake-transport.ts";

/** The API of client-js that all tested versions have. */
export type ClientLibrary = Pick<
  typeof import("@pipecat-ai/client-js"),
  "LogLevel" | "PipecatClient" | "RTVIMessage" | "Transport"
>;

/** The client's callbacks with their arguments, in order. */
export type Callbacks = [name: string, ...values: unknown[]][];

/** Connects a client of the real library to the bot in memory. Messages are converted to JSON and back. Requires a global `window`. */
export function createMemoryClient(
  library: ClientLibrary,
  bot: FakeTransport,
): { readonly client: PipecatClient; readonly callbacks: Callbacks } {
  const callbacks: Callbacks = [];
  const recorders = Object.fromEntries(
    callbackNames.map((name) => [name, (...values: unknown[]) => void callbacks.push([name, ...values])]),
  );
  const client = new library.PipecatClient({ transport: createMemoryTransport(library, bot), callbacks: recorders });
  client.setLogLevel(library.LogLevel.NONE);
  return { client, callbacks };
}

const callbackNames = [
  "onBotReady",
  "onServerMessage",
  "onError",
  "onMessageError",
  "onUserStartedSpeaking",
  "onUserStoppedSpeaking",
  "onUserMuteStarted",
  "onUserMuteStopped",
  "onUserTranscript",
  "onUserLlmText",
  "onBotStartedSpeaking",
  "onBotStoppedSpeaking",
  "onBotOutput",
  "onBotTranscript",
  "onBotLlmStarted",
  "onBotLlmText",
  "onBotLlmStopped",
  "onBotLlmSearchResponse",
  "onBotTtsStarted",
  "onBotTtsText",
  "onBotTtsStopped",
  "onLLMFunctionCall",
  "onLLMFunctionCallStarted",
  "onLLMFunctionCallInProgress",
  "onLLMFunctionCallStopped",
  "onMetrics",
  "onUICommand",
  "onUIJobGroup",
] as const;

function createMemoryTransport(library: ClientLibrary, bot: FakeTransport): InstanceType<ClientLibrary["Transport"]> {
  class MemoryTransport extends library.Transport {
    initialize(options: PipecatClientOptions, onMessage: (message: RTVIMessage) => void): void {
      this._options = options;
      this._callbacks = options.callbacks ?? {};
      bot.wire = (message) => onMessage(message as RTVIMessage);
    }
    sendReadyMessage(): void {
      this.state = "ready";
      this.sendMessage(library.RTVIMessage.clientReady());
    }
    sendMessage(message: RTVIMessage): void {
      bot.emit("appMessage", JSON.parse(JSON.stringify(message)));
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
  return new MemoryTransport();
}
