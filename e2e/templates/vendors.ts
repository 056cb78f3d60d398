import { writeFileSync } from "node:fs";
import { type AudioFrame, tone } from "../../packages/audio/src/index.ts";
import { startFakeDeepgram } from "../../packages/runner-testing/src/vendors/deepgram.ts";
import { startFakeElevenLabs } from "../../packages/runner-testing/src/vendors/elevenlabs.ts";
import { startFakeGemini } from "../../packages/runner-testing/src/vendors/gemini.ts";
import { startFakeOpenAI } from "../../packages/runner-testing/src/vendors/openai.ts";
import { startFakeChat } from "../../packages/runner-testing/src/vendors/openai-chat.ts";

/** The pitches of what the vendors say, in Hz. */
export const greetingHz = 500;
export const answerHz = 700;

/** The simulated vendors of a template. */
export interface Vendors {
  /** What the user adds to `.env`. */
  readonly env: Readonly<Record<string, string>>;
  /** The file with the certificate that the bot must trust. */
  readonly certificate?: string;
  close(): Promise<void>;
}

const say = (hz: number): AudioFrame => tone(hz, { durationMs: 1_500, sampleRate: 24_000 });
const greeting = { speech: say(greetingHz), transcript: "Hello." };
const answer = { speech: say(answerHz), transcript: "Nice to meet you." };

/** Starts the vendors of each template that needs some: they greet the caller, and answer what the caller says. */
export const startVendors: Readonly<Record<string, (folder: string) => Promise<Vendors>>> = {
  async realtime(folder) {
    const openai = await startFakeOpenAI({ reply: ({ length }) => (length === 0 ? greeting : answer) });
    const certificate = `${folder}/openai.pem`;
    writeFileSync(certificate, openai.certificate);
    return { env: openai.env, certificate, close: openai.close };
  },
  async gemini() {
    let turns = 0;
    const gemini = await startFakeGemini({ reply: () => (turns++ === 0 ? greeting : answer) });
    return { env: gemini.env, close: gemini.close };
  },
  async cascade() {
    const services = await Promise.all([
      startFakeDeepgram(),
      startFakeChat({ reply: () => ({ text: answer.transcript }) }),
      startFakeElevenLabs({ synthesize: (text) => (text.startsWith("Hello") ? greeting : answer).speech }),
    ]);
    return {
      env: Object.assign({}, ...services.map(({ env }) => env)),
      close: async () => void (await Promise.all(services.map(({ close }) => close()))),
    };
  },
};
