import { setTimeout as sleep } from "node:timers/promises";
import { type AudioFrame, cut, encodePcm16 } from "@pipecat-ts/audio";
import { startLocalServer, untilResponsive } from "./local-server.ts";

/** How the simulated vendor behaves. */
export interface FakeElevenLabsOptions {
  /** The speech of a text, mono at 24,000 Hz. */
  synthesize(text: string): AudioFrame;
}

/** The simulated vendor. */
export interface FakeElevenLabs {
  /** Variables for the bot: the address of this server, and a key that it accepts. */
  readonly env: { readonly ELEVENLABS_BASE_URL: string; readonly ELEVENLABS_API_KEY: string };
  /** The texts that it was asked to say. */
  readonly spoken: readonly string[];
  /** Whether requests are refused with 503. Default false. */
  unavailable: boolean;
  /** Whether requests wait for an answer. Default false. */
  unresponsive: boolean;
  close(): Promise<void>;
}

const apiKey = "key-of-a-simulated-account";

/**
 * Starts a server that speaks ElevenLabs' streaming speech API (`POST /v1/text-to-speech/{voice}/stream`, `pcm_24000`) as its
 * public reference and SDK describe it, for tests through ElevenLabs' own SDK. Audio arrives ten times as fast as speech.
 */
export async function startFakeElevenLabs({ synthesize }: FakeElevenLabsOptions): Promise<FakeElevenLabs> {
  const spoken: string[] = [];
  const state = { unavailable: false, unresponsive: false };
  const { origin, close: closeServer } = await startLocalServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    const body = (await request.setEncoding("utf8").toArray()).join("");
    const isKnown = /^\/v1\/text-to-speech\/[\w-]+\/stream$/.test(pathname);
    const isPcm = searchParams.get("output_format") === "pcm_24000";
    const hasKey = request.headers["xi-api-key"] === apiKey;
    await untilResponsive(state);
    const status = state.unavailable ? 503 : !isKnown ? 404 : !hasKey ? 401 : !isPcm ? 422 : 200;
    if (status !== 200)
      return void response.writeHead(status, { "content-type": "application/json" }).end('{"detail":{}}');
    const { text } = JSON.parse(body) as { readonly text: string };
    spoken.push(text);
    response.writeHead(200, { "content-type": "audio/pcm" });
    for (const { samples } of cut(synthesize(text), 100)) {
      if (response.destroyed) return;
      response.write(encodePcm16(samples));
      await sleep(10);
    }
    response.end();
  });
  const env = { ELEVENLABS_BASE_URL: origin, ELEVENLABS_API_KEY: apiKey };
  const close = (): Promise<void> => {
    state.unresponsive = false;
    return closeServer();
  };
  return Object.assign(state, { env, spoken, close });
}
