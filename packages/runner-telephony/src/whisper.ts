import { RunnerError } from "@pipecat-ts/runner-core";
import { maxTextLength } from "./json.ts";

/** What the callee of a transfer hears before the carrier connects the caller: a text, or an audio file. */
export type Whisper =
  | {
      /** 1 to 300 characters, spoken by the carrier. */
      readonly say: string;
      /** Its language as a tag like `es-ES`. Default: the carrier's, which is English. */
      readonly language?: string | undefined;
    }
  | {
      /** The https URL of a WAV or MP3 file, which the carrier fetches. */
      readonly play: string;
    };

/** The webhook parameter that requests the document of a whisper, as JSON. */
export const whisperParameter = "whisper";

/** The whisper as a value of `whisperParameter`. Throws WHISPER_INVALID. */
export function formatWhisper(whisper: Whisper): string {
  const valid = whisperOf(whisper);
  const text = JSON.stringify(valid);
  if (valid && text.length <= maxTextLength) return text;
  throw new RunnerError("WHISPER_INVALID", "The whisper is neither a text to say nor the URL of an audio file.", {
    fix: 'Pass {say: "A caller from the website"} with 1 to 300 characters on one line, or {play: "https://…"}.',
  });
}

/** The whisper in a value of `whisperParameter`; `undefined` for any other text. */
export function parseWhisper(text: string): Whisper | undefined {
  try {
    return whisperOf(JSON.parse(text));
  } catch {
    return undefined; // A parameter with another meaning.
  }
}

function whisperOf(value: unknown): Whisper | undefined {
  const { say, language, play } = Object(value) as Readonly<Record<string, unknown>>;
  if (typeof play === "string") {
    return say === undefined && play.startsWith("https:") && URL.canParse(play) ? { play } : undefined;
  }
  if (typeof say !== "string" || !say.isWellFormed() || !/^\P{Cc}{1,300}$/u.test(say)) return undefined;
  if (language === undefined) return { say };
  return typeof language === "string" && /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/.test(language)
    ? { say, language }
    : undefined;
}
