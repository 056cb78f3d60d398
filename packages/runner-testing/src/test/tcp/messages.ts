import { type AudioFrame, decodePcm16, encodePcm16 } from "@pipecat-ts/audio";

/** One message of the toy's wire: a letter for its kind, its length in 4 bytes (big endian), and its content. */
export type Message =
  /** The first from the caller: what the start request answered. */
  | { readonly kind: "hello"; readonly session: string; readonly ticket: string }
  /** Mono PCM16 at 16,000 Hz. */
  | { readonly kind: "audio"; readonly frame: AudioFrame }
  | { readonly kind: "app"; readonly message: unknown }
  /** Drop what has not been played. */
  | { readonly kind: "clear" }
  /** The last from the caller. The server hangs up. */
  | { readonly kind: "bye" };

export const sampleRate = 16_000;

const letters = { hello: "H", audio: "A", app: "M", clear: "C", bye: "B" } as const;
const headBytes = 5;
const maxBytes = 65_536;

export function encode(message: Message): Buffer {
  const content = contentOf(message);
  const head = Buffer.alloc(headBytes);
  head.write(letters[message.kind], 0, "latin1");
  head.writeUInt32BE(content.byteLength, 1);
  return Buffer.concat([head, content]);
}

/** Takes a stream's chunks and gives its messages. What cannot be read is skipped and counted. */
export function createDecoder(): { decode(chunk: Buffer): Message[]; readonly skipped: number } {
  let rest: Buffer = Buffer.alloc(0);
  let skipped = 0;
  return {
    get skipped() {
      return skipped;
    },
    decode(chunk) {
      rest = Buffer.concat([rest, chunk]);
      const messages: Message[] = [];
      while (rest.length >= headBytes) {
        const length = rest.readUInt32BE(1);
        if (length > maxBytes) {
          skipped++; // there is no telling where the next message begins
          rest = Buffer.alloc(0);
          break;
        }
        if (rest.length < headBytes + length) break;
        const message = recognise(rest.toString("latin1", 0, 1), rest.subarray(headBytes, headBytes + length));
        if (message) messages.push(message);
        else skipped++;
        rest = rest.subarray(headBytes + length);
      }
      return messages;
    },
  };
}

function contentOf(message: Message): Uint8Array {
  if (message.kind === "audio") return encodePcm16(message.frame.samples);
  if (message.kind === "app") return Buffer.from(JSON.stringify(message.message));
  if (message.kind === "hello") return Buffer.from(JSON.stringify(message));
  return Buffer.alloc(0);
}

function recognise(letter: string, content: Buffer): Message | undefined {
  if (letter === letters.clear) return { kind: "clear" };
  if (letter === letters.bye) return { kind: "bye" };
  if (letter === letters.audio)
    return { kind: "audio", frame: { samples: decodePcm16(content), sampleRate, channels: 1 } };
  const json = parseJson(content);
  if (json === undefined) return undefined;
  if (letter === letters.app) return { kind: "app", message: json };
  if (letter !== letters.hello || typeof json !== "object" || json === null) return undefined;
  const { session, ticket } = json as { readonly session?: unknown; readonly ticket?: unknown };
  return typeof session === "string" && typeof ticket === "string" ? { kind: "hello", session, ticket } : undefined;
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString("utf8"));
  } catch {
    return undefined; // the caller of this counts it
  }
}
