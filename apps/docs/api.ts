import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A module of the API reference: what an author imports. */
export interface ApiModule {
  /** Its address below `api/`, and its title in the menu: `runner-core.caller`. */
  readonly path: string;
  /** What an author imports: `@pipecat-ts/runner-core/caller`. */
  readonly name: string;
  /** The source file, from the root of the repository. */
  readonly file: string;
  /** What it has, as a sentence. */
  readonly description: string;
}

const root: string = join(import.meta.dirname, "../..");

interface Manifest {
  readonly name: string;
  readonly description: string;
  readonly exports: Readonly<Record<string, string>>;
}

/** A module of a package: its main one, or the one that it exports as `entry`. */
function module(folder: string, entry = "", description?: string): ApiModule {
  const manifest = JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8")) as Manifest;
  const subpath = entry && `/${entry}`;
  const source = manifest.exports[`.${subpath}`];
  if (source === undefined) throw new Error(`${manifest.name} does not export ".${subpath}".`);
  const name = manifest.name + subpath;
  return {
    path: name.replace("@pipecat-ts/", "").replace("/", "."),
    name,
    file: join("packages", folder, source),
    description: description ?? manifest.description,
  };
}

/** The modules, by reader. */
export const apiSections: readonly { readonly title: string; readonly modules: readonly ApiModule[] }[] = [
  {
    title: "For bots",
    modules: [
      module("runner-cli"),
      module("audio"),
      module("rtvi"),
      ...["webrtc", "websocket", "whatsapp", "daily", "livekit"].map((name) => module(`runner-${name}`)),
      ...["twilio", "telnyx", "plivo", "exotel", "vonage"].map((name) => module(`runner-telephony-${name}`)),
    ],
  },
  {
    title: "For tests of bots",
    modules: [
      module("runner-testing"),
      module("runner-testing", "openai", "A fake of OpenAI's Realtime API."),
      module("runner-testing", "openai-chat", "A fake of OpenAI's chat API."),
      module("runner-testing", "gemini", "A fake of Gemini's Live API."),
      module("runner-testing", "deepgram", "A fake of Deepgram's transcription."),
      module("runner-testing", "elevenlabs", "A fake of ElevenLabs' speech."),
    ],
  },
  {
    title: "For transports",
    modules: [
      module("runner-core"),
      module("runner-core", "caller", "The other side of a transport, for `pipecat-runner call` and tests."),
      module("runner-telephony"),
      module("runner-telephony", "caller", "The other side of a phone carrier, for `pipecat-runner call` and tests."),
      module("runner-testing", "vitest", "Runs the conformance suite in Vitest."),
      module("runner-testing", "phone", "The conformance suite of phone carriers."),
      module("runner-media"),
    ],
  },
  {
    title: "For servers of your own",
    modules: [module("runner-host"), module("runner-files"), module("runner-capture")],
  },
];

export const apiModules: readonly ApiModule[] = apiSections.flatMap(({ modules }) => modules);
