import type { IncomingMessage, ServerResponse } from "node:http";
import { type AudioFrame, encodePcm16, silence } from "@pipecat-ts/audio";
import { WebSocketServer } from "ws";
import { startTlsServer, untilResponsive } from "./local-server.ts";
import { converse, type FakeRealtimeSession, type RealtimeOptions } from "./openai-realtime.ts";

export type { FakeRealtimeSession, OpenAIEvent, OpenAIItem, OpenAIReply, RealtimeOptions } from "./openai-realtime.ts";

/** How the simulated vendor behaves. */
export interface FakeOpenAIOptions extends RealtimeOptions {
  /** The speech of `POST /audio/speech`, mono at 24,000 Hz. Default: 300 ms of silence. */
  synthesize?(text: string): AudioFrame;
}

/** The simulated vendor. */
export interface FakeOpenAI {
  /** Variables for the bot: the address of this server, and a key that it accepts. */
  readonly env: { readonly OPENAI_BASE_URL: string; readonly OPENAI_API_KEY: string };
  /** The server's certificate as PEM, for a bot in another process: see `NODE_EXTRA_CA_CERTS`. */
  readonly certificate: string;
  readonly sessions: readonly FakeRealtimeSession[];
  /** The texts that `POST /audio/speech` was asked to say. */
  readonly spoken: readonly string[];
  /** Whether new connections are refused with 503. Default false. */
  unavailable: boolean;
  /** Whether new connections and requests wait for an answer. Default false. */
  unresponsive: boolean;
  close(): Promise<void>;
}

const sampleRate = 24_000;
const apiKey = "sk-of-a-simulated-account";

/**
 * Starts a server that speaks the OpenAI Realtime API as its public reference and SDK describe it, for tests through OpenAI's
 * own SDK: session updates, voice detection, transcription, responses with audio faster than real time, cancellation with
 * late deltas, truncation, function calls, and `POST /audio/speech`. Transcription requires `audio.input.transcription`. With
 * `turn_detection: null`, the client commits the audio and creates the responses. It rejects what the vendor is known to reject:
 * wrong keys (close code 3000), truncation beyond the audio or without audio, a second response at the same time, the output of an
 * unknown function call, the deletion of an unknown item, and a commit of less than 100 ms of audio.
 */
export async function startFakeOpenAI(options: FakeOpenAIOptions): Promise<FakeOpenAI> {
  const { synthesize = () => silence({ durationMs: 300, sampleRate }) } = options;
  const sessions: FakeRealtimeSession[] = [];
  const spoken: string[] = [];
  const state = { unavailable: false, unresponsive: false };

  const local = await startTlsServer(async (request, response) => {
    if (request.method !== "POST" || request.url !== "/v1/audio/speech") return respond(response, 404);
    const body = (await request.setEncoding("utf8").toArray()).join("");
    await untilResponsive(state);
    if (state.unavailable) return respond(response, 503);
    if (!hasKey(request)) return respond(response, 401);
    const { input, response_format: format } = JSON.parse(body);
    if (format !== "pcm") return respond(response, 400);
    spoken.push(input);
    response.writeHead(200, { "content-type": "audio/pcm" }).end(encodePcm16(synthesize(input).samples));
  });
  const webSockets = new WebSocketServer({
    server: local.server,
    path: "/v1/realtime",
    verifyClient: (_info, done) => void untilResponsive(state).then(() => done(!state.unavailable, 503)),
  });
  webSockets.on("connection", (socket, request) => {
    socket.on("error", () => undefined); // "close" follows
    if (hasKey(request)) sessions.push(converse(socket, options));
    else {
      const error = { type: "invalid_request_error", code: "invalid_api_key", message: "Incorrect API key provided." };
      socket.send(JSON.stringify({ type: "error", event_id: "event_0", error }));
      socket.close(3000, "invalid_request_error.invalid_api_key");
    }
  });

  const env = { OPENAI_BASE_URL: `${local.origin}/v1`, OPENAI_API_KEY: apiKey };
  const close = (): Promise<void> => {
    state.unresponsive = false;
    return local.close();
  };
  return Object.assign(state, { env, certificate: local.certificate, sessions, spoken, close });
}

function hasKey({ headers }: IncomingMessage): boolean {
  return headers.authorization === `Bearer ${apiKey}`;
}

function respond(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "application/json" }).end('{"error":{"message":"rejected"}}');
}
