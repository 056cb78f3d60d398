import { decodePcm16 } from "@pipecat-ts/audio";
import { WebSocketServer } from "ws";
import { startLocalServer } from "./local-server.ts";
import { createSpeechDetector } from "./speech-detector.ts";

/** How the simulated vendor behaves. */
export interface FakeDeepgramOptions {
  /** The text of the caller's utterance `index`, from 0. Default `utterance {index}`. */
  transcribe?(index: number): string;
}

/** One WebSocket of a client. */
export interface FakeTranscription {
  /** The parameters in the URL. */
  readonly parameters: URLSearchParams;
  /** How much audio the client sent, in ms. */
  readonly heardMs: number;
  readonly isOpen: boolean;
  /** Ends the connection as a network failure does. */
  drop(): void;
}

/** The simulated vendor. */
export interface FakeDeepgram {
  /** Variables for the bot: the address of this server, and a key that it accepts. */
  readonly env: { readonly DEEPGRAM_BASE_URL: string; readonly DEEPGRAM_API_KEY: string };
  readonly sessions: readonly FakeTranscription[];
  /** Whether new connections are refused. Default false. */
  unavailable: boolean;
  close(): Promise<void>;
}

const apiKey = "key-of-a-simulated-account";

/**
 * Starts a server that speaks Deepgram's streaming API for mono PCM16 as its public reference and SDK describe it, for tests
 * through Deepgram's own SDK: an interim result when an utterance begins, and a final one after `Finalize`.
 */
export async function startFakeDeepgram({ transcribe }: FakeDeepgramOptions = {}): Promise<FakeDeepgram> {
  const sessions: FakeTranscription[] = [];
  const state = { unavailable: false };
  let utterances = 0;

  const { server, origin, close } = await startLocalServer((_request, response) => void response.writeHead(404).end());
  const webSockets = new WebSocketServer({
    server,
    path: "/v1/listen",
    verifyClient: ({ req }, done) =>
      state.unavailable ? done(false, 503) : done(req.headers.authorization === `Token ${apiKey}`, 401),
  });
  webSockets.on("connection", (socket, { url = "" }) => {
    const parameters = new URL(url, origin).searchParams;
    const sampleRate = Number(parameters.get("sample_rate"));
    // An utterance ends when the client says so.
    let detector = createSpeechDetector(Number.POSITIVE_INFINITY);
    let heardMs = 0;
    let text = "";

    function send(transcript: string, isFinal: boolean, fromFinalize: boolean): void {
      const channel = { alternatives: [{ transcript, confidence: 1, words: [] }] };
      const flags = { is_final: isFinal, speech_final: isFinal, from_finalize: fromFinalize };
      socket.send(JSON.stringify({ type: "Results", channel_index: [0, 1], duration: 1, start: 0, ...flags, channel }));
    }

    socket.on("error", () => undefined); // "close" follows
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        const samples = decodePcm16(data);
        heardMs += (1_000 * samples.length) / sampleRate;
        if (detector.push({ samples, sampleRate, channels: 1 }) !== "started") return;
        text = transcribe?.(utterances) ?? `utterance ${utterances}`;
        utterances++;
        send(text.slice(0, text.length >> 1), false, false);
        return;
      }
      const { type } = JSON.parse(String(data));
      if (type === "CloseStream") socket.close(1000);
      if (type !== "Finalize") return;
      send(text, true, true);
      text = "";
      detector = createSpeechDetector(Number.POSITIVE_INFINITY);
    });
    sessions.push({
      parameters,
      get heardMs() {
        return heardMs;
      },
      get isOpen() {
        return socket.readyState === socket.OPEN;
      },
      drop: () => socket.terminate(),
    });
  });

  return {
    env: { DEEPGRAM_BASE_URL: origin.replace("http", "ws"), DEEPGRAM_API_KEY: apiKey },
    sessions,
    get unavailable() {
      return state.unavailable;
    },
    set unavailable(value) {
      state.unavailable = value;
    },
    close,
  };
}
