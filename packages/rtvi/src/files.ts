import type { Static } from "typebox";
import * as Type from "typebox";
import type { ClientRequest, FileSource, SentFile } from "./client-events.ts";
import { type ClientMessageRow, optional, row } from "./message-row.ts";
import { longText, quote, shortText } from "./messages.ts";

/** Characters of a URL: signed URLs of cloud storage have about 2,000. */
const maxUrl = 8_000;
/** Options for a language model; their values are not validated. */
const maxCustomOptions = 100;
const pixels = optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 }));
const fileSource = Type.Object({
  type: Type.Optional(Type.Union([Type.Literal("url"), Type.Literal("bytes")])),
  url: Type.Optional(Type.String({ minLength: 1, maxLength: maxUrl })),
  // Pipecat's Python runner also accepts a data URL in `bytes`.
  bytes: Type.Optional(
    Type.String({ minLength: 1, maxLength: 1_000_000, pattern: "^(data:[^,]{0,200};base64,)?[A-Za-z0-9+/]+={0,2}$" }),
  ),
  width: pixels,
  height: pixels,
});

/** Field names: Pipecat 1.14, `pipecat/processors/frameworks/rtvi/models.py`. */
export const sendFile: ClientMessageRow = row({
  event: "sendFile",
  schema: Type.Object({
    content: longText,
    file: Type.Object({ format: shortText, name: optional(shortText), source: fileSource }),
    options: optional(
      Type.Object({
        run_immediately: Type.Optional(Type.Boolean()),
        audio_response: Type.Optional(Type.Boolean()),
        custom_options: optional(Type.Record(Type.String(), Type.Unknown(), { maxProperties: maxCustomOptions })),
      }),
    ),
  }),
  fix:
    'Send {content, file: {format, source}} with the source {type: "url", url} that the reply to an upload has, ' +
    'or {type: "bytes", bytes} with at most 1,000,000 characters of base64',
  check({ file: { source } }) {
    const type = sourceType(source);
    return source[type] === undefined && `data.file.source must have required properties ${type}`;
  },
  read({ content, file, options }, { id, error }) {
    const source = readSource(file.source);
    return [
      {
        id,
        content,
        name: file.name ?? undefined,
        format: file.format,
        source,
        runImmediately: options?.run_immediately ?? true,
        audioResponse: options?.audio_response ?? true,
        customOptions: options?.custom_options ?? undefined,
        error,
        load: (storage) => loadFile(source, storage, error),
      },
    ];
  },
});

/** Like Pipecat's Python runner, accepts a source without `type`. */
function sourceType({ type, bytes }: Static<typeof fileSource>): "url" | "bytes" {
  return type ?? (bytes === undefined ? "url" : "bytes");
}

/** Reads a valid source. */
function readSource(source: Static<typeof fileSource>): FileSource {
  const { url = "", bytes = "", width, height } = source;
  if (sourceType(source) === "url") return { type: "url", url };
  const base64 = bytes.slice(bytes.indexOf(",") + 1);
  const decoded = Uint8Array.from(Buffer.from(base64, "base64"));
  return { type: "bytes", bytes: decoded, width: width ?? undefined, height: height ?? undefined };
}

async function loadFile(
  source: FileSource,
  storage: Parameters<SentFile["load"]>[0],
  answer: ClientRequest["error"],
): Promise<Uint8Array | undefined> {
  if (source.type === "bytes") return source.bytes;
  if (storage === undefined) {
    void answer(
      "This bot cannot read uploaded files. Send the bytes, or start the runner with --uploads-folder <path>.",
    );
    return undefined;
  }
  try {
    return await storage.load(source.url);
  } catch (error) {
    if ((error as { readonly code?: unknown } | null)?.code !== "FILE_UNKNOWN") throw error;
    void answer(
      `The file ${quote(source.url)} does not exist in this session. Upload it, and send the URL of the reply.`,
    );
    return undefined;
  }
}
