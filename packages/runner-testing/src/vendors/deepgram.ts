import { decodePcm16 } from "@pipecat-ts/audio";
import { WebSocketServer } from "ws";
import { startLocalServer } from "./local-server.ts";
import { createSpeechDetector } from "./speech-detector.ts";

/** How the simulated vendor behaves. */
export interface FakeDeepgramOptions {
  /** The text of the caller's utterance `index`, from 0. Default `utterance {index}`. */
  transcribe?(index: number): string;
  /** After how long without audio or `KeepAlive` it closes a connection, in ms. Default 10,000. */
  readonly idleMs?: number;
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
  /**
   * Whether it leaves `Finalize` unanswered, as the vendor does if it holds too little audio. An ordinary final result then
   * follows each utterance. Set it before the bot connects. Default false.
   */
  ignoresFinalize: boolean;
  close(): Promise<void>;
}

const apiKey = "key-of-a-simulated-account";

/** Silence after which an utterance gets an ordinary final result, if `Finalize` gets none. */
const endpointingMs = 300;

/**
 * Starts a server that speaks Deepgram's streaming API for mono PCM16 as its public reference and SDK describe it, for tests
 * through Deepgram's own SDK: an interim result when an utterance begins, if the client sets `interim_results=true`, and final ones
 * after `Finalize`: the last word comes in the result with `from_finalize`, the words before it in an ordinary one. It closes idle
 * connections with 1011.
 */
export async function startFakeDeepgram(options: FakeDeepgramOptions = {}): Promise<FakeDeepgram> {
  const { transcribe = (index) => `utterance ${index}`, idleMs = 10_000 } = options;
  const sessions: FakeTranscription[] = [];
  const state = { unavailable: false, ignoresFinalize: false };
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
    const createDetector = () => createSpeechDetector(state.ignoresFinalize ? endpointingMs : Number.POSITIVE_INFINITY);
    let detector = createDetector();
    let heardMs = 0;
    let text = "";

    function send(transcript: string, isFinal: boolean, fromFinalize: boolean): void {
      const channel = { alternatives: [{ transcript, confidence: 1, words: [] }] };
      const flags = { is_final: isFinal, speech_final: isFinal, from_finalize: fromFinalize };
      socket.send(JSON.stringify({ type: "Results", channel_index: [0, 1], duration: 1, start: 0, ...flags, channel }));
    }

    function hear(data: Buffer): void {
      const samples = decodePcm16(data);
      heardMs += (1_000 * samples.length) / sampleRate;
      const change = detector.push({ samples, sampleRate, channels: 1 });
      if (change === "started") {
        text = transcribe(utterances++);
        if (parameters.get("interim_results") === "true") send(text.slice(0, text.length >> 1), false, false);
      } else if (change === "stopped") {
        send(text, true, false);
        text = "";
      }
    }

    function finalize(): void {
      if (state.ignoresFinalize) return;
      const words = text.split(" ");
      const last = words.pop() ?? "";
      if (words.length > 0) send(words.join(" "), true, false);
      send(last, true, true);
      text = "";
      detector = createDetector();
    }

    const idle = setTimeout(() => {
      const reason =
        "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001";
      socket.close(1011, reason);
    }, idleMs);
    socket.once("close", () => clearTimeout(idle));
    socket.on("error", () => undefined); // "close" follows
    socket.on("message", (data: Buffer, isBinary) => {
      idle.refresh();
      if (isBinary) return hear(data);
      const { type } = JSON.parse(String(data));
      if (type === "CloseStream") socket.close(1000);
      if (type === "Finalize") finalize();
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

  const env = { DEEPGRAM_BASE_URL: origin.replace("http", "ws"), DEEPGRAM_API_KEY: apiKey };
  return Object.assign(state, { env, sessions, close });
}
