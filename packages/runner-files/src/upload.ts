import type { IncomingMessage } from "node:http";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { type FileStorage, RunnerError } from "@pipecat-ts/runner-core";
import { lookup } from "mime-types";

/** The largest file, in bytes, as in Pipecat's own runner. */
export const maxFileBytes: number = 50 * 1024 * 1024;
/** What a request may have beside the file, in bytes: boundaries, headers of parts, and fields. */
const maxOtherBytes = 64 * 1024;
/** A client sends one file; 16 fields beside it are ignored. */
const maxParts = 17;

/** A stored file, as the client described it. */
export interface UploadedFile {
  /** The last part of the client's file name, for people to read. Not a path. */
  readonly name: string;
  /** The storage's URL. */
  readonly url: string;
  /** The MIME type that the name or the client suggests: a claim, not a check of the content. */
  readonly format: string;
}

/**
 * Stores the file in the field `file` of a multipart request (RFC 7578), while it arrives. The name and type that the client sends
 * only describe the file in the result. When it rejects, nothing is stored.
 *
 * Call it before the request is read. Rejects with BODY_INVALID (400), BODY_TOO_LARGE (413), REQUEST_INVALID (400) when the client
 * leaves, or the storage's error.
 */
export async function receiveFile(request: IncomingMessage, storage: FileStorage): Promise<UploadedFile> {
  if (Number(request.headers["content-length"]) > maxFileBytes + maxOtherBytes) throw tooLarge();
  const { promise: parsed, resolve, reject } = Promise.withResolvers<void>();
  const parser = createParser(request);
  let file: ReceivedFile | undefined;
  let received = 0;

  parser
    .on("file", (field, stream, name, _encoding, type) => {
      stream.on("error", (cause) => reject(malformed(cause)));
      stream.once("limit", () => reject(tooLarge()));
      const saved = storage.save(contentOf(stream));
      saved.catch(reject);
      file = { stream, saved, name: nameOf(name), type };
      if (field !== "file") reject(invalid("The file is in another field."));
    })
    .once("filesLimit", () => reject(invalid("The body has several files.")))
    .once("partsLimit", () => reject(invalid(`The body has more than ${maxParts} parts.`)))
    .on("error", (cause) => reject(malformed(cause)))
    .once("finish", resolve);
  function count({ length }: Buffer): void {
    received += length;
    if (received > maxFileBytes + maxOtherBytes) reject(tooLarge());
  }
  request.on("data", count).once("close", () => {
    if (!request.complete) reject(endedEarly());
  });
  try {
    if (request.closed) throw endedEarly();
    request.pipe(parser);
    await parsed;
    if (file === undefined) throw invalid("The body has no file.");
    const { name, type, saved } = file as ReceivedFile;
    return { name, url: await saved, format: formatOf(name, type) };
  } catch (error) {
    request.off("data", count).unpipe(parser);
    await discard(file, storage);
    throw error;
  }
}

/** A file whose part began. */
interface ReceivedFile {
  readonly stream: BusboyFileStream;
  readonly saved: Promise<string>;
  readonly name: string;
  readonly type: string;
}

function createParser({ headers }: IncomingMessage): BusboyInstance {
  const type = headers["content-type"] ?? "";
  // A boundary has at most 70 characters (RFC 2046). A long one would make each byte expensive to compare.
  if (!/^multipart\/form-data *;/i.test(type) || type.length > 200) {
    throw invalid("The body is not multipart/form-data.");
  }
  try {
    return new Busboy({
      headers: { ...headers, "content-type": type },
      limits: {
        files: 1,
        parts: maxParts,
        fileSize: maxFileBytes,
        fieldSize: 1024,
        headerPairs: 20,
        headerSize: 8 * 1024,
      },
    });
  } catch (cause) {
    throw malformed(cause);
  }
}

/** The bytes of the file. Throws when it is empty, because a client that sends nothing has a fault. */
async function* contentOf(stream: BusboyFileStream): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    yield piece;
  }
  if (stream.truncated) throw tooLarge();
  if (size === 0) throw invalid("The file is empty.");
}

/** Ends the file that is being received, and deletes it if it is stored already. */
async function discard(file: ReceivedFile | undefined, storage: FileStorage): Promise<void> {
  if (file === undefined) return;
  file.stream.destroy(new Error("The upload was rejected."));
  const url = await file.saved.catch(() => undefined); // Rejected: nothing is stored.
  if (url !== undefined) await storage.delete(url);
}

/** The last part of a file name or path, without control characters. */
function nameOf(fileName: string | undefined): string {
  const last = fileName?.split(/[/\\]/).at(-1) ?? "";
  return last.replace(/\p{C}/gu, "").slice(0, 255);
}

function formatOf(name: string, type: string): string {
  const claimed = /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(type) ? type : "application/octet-stream";
  return lookup(name) || claimed;
}

const fix = 'Send one file as multipart/form-data, in the field "file".';

function invalid(message: string): RunnerError {
  return new RunnerError("BODY_INVALID", message, { fix });
}

function malformed(cause: unknown): RunnerError {
  return new RunnerError("BODY_INVALID", `The multipart body cannot be read: ${(cause as Error).message}.`, {
    fix,
    cause,
  });
}

function endedEarly(): RunnerError {
  return new RunnerError("REQUEST_INVALID", "The request ended before its body did.");
}

function tooLarge(): RunnerError {
  return new RunnerError("BODY_TOO_LARGE", `The file is larger than ${maxFileBytes} bytes.`, {
    fix: "Send a smaller file.",
  });
}
