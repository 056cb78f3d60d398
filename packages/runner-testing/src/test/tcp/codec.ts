import { type AudioFrame, decodePcm16, encodePcm16 } from "@pipecat-ts/audio";

/** One message of the wire format: a letter for its kind, its length in 4 bytes (big endian), and its content. */
export type Message =
  /** The first message from the caller: a session's credential, or the API key. */
  | { readonly kind: "hello"; readonly credential?: string; readonly key?: string }
  /** The server's answer to the hello. */
  | { readonly kind: "welcome" }
  /** The server's other answer, before it disconnects. */
  | { readonly kind: "refused"; readonly reason: string }
  /** Mono PCM16 at 16,000 Hz. */
  | { readonly kind: "audio"; readonly frame: AudioFrame }
  | { readonly kind: "app"; readonly message: unknown }
  /** Drop everything that has not been played. */
  | { readonly kind: "clear" }
  /** The last message from the caller. The server then disconnects. */
  | { readonly kind: "bye" };

export const sampleRate = 16_000;

const letters = { hello: "H", welcome: "W", refused: "R", audio: "A", app: "M", clear: "C", bye: "B" } as const;
const headBytes = 5;
const maxBytes = 65_536;

export function encode(message: Message): Buffer {
  const content = contentOf(message);
  const head = Buffer.alloc(headBytes);
  head.write(letters[message.kind], 0, "latin1");
  head.writeUInt32BE(content.byteLength, 1);
  return Buffer.concat([head, content]);
}

/** Splits a stream into messages. Skips and counts what it cannot parse. */
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
          skipped++; // the start of the next message is unknown
          rest = Buffer.alloc(0);
          break;
        }
        if (rest.length < headBytes + length) break;
        const message = parse(rest.toString("latin1", 0, 1), rest.subarray(headBytes, headBytes + length));
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
  if (message.kind === "hello" || message.kind === "refused") return Buffer.from(JSON.stringify(message));
  return Buffer.alloc(0);
}

function parse(letter: string, content: Buffer): Message | undefined {
  if (letter === letters.clear) return { kind: "clear" };
  if (letter === letters.bye) return { kind: "bye" };
  if (letter === letters.welcome) return { kind: "welcome" };
  if (letter === letters.audio)
    return { kind: "audio", frame: { samples: decodePcm16(content), sampleRate, channels: 1 } };
  const json = parseJson(content);
  if (json === undefined) return undefined;
  if (letter === letters.app) return { kind: "app", message: json };
  if (typeof json !== "object" || json === null) return undefined;
  const { credential, key, reason } = json as Readonly<Record<string, unknown>>;
  if (letter === letters.refused) return { kind: "refused", reason: String(reason) };
  if (letter !== letters.hello) return undefined;
  return {
    kind: "hello",
    ...(typeof credential === "string" ? { credential } : {}),
    ...(typeof key === "string" ? { key } : {}),
  };
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString("utf8"));
  } catch {
    return undefined; // the decoder counts it
  }
}
