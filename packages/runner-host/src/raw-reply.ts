import { type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { RunnerError } from "@pipecat-ts/runner-core";
import { type ErrorReply, errorReply } from "./errors.ts";

/** Answers an error on a connection that has no response object, and closes it: a refused upgrade, a request Node could not parse. */
export function replyRaw(connection: Duplex, { status, headers, body }: ErrorReply): void {
  if (!connection.writable) {
    connection.destroy();
    return;
  }
  const text = JSON.stringify(body);
  const head = Object.entries({
    ...headers,
    Connection: "close",
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(text)),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  connection.once("finish", () => connection.destroy());
  connection.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}\r\n${head.join("")}\r\n${text}`);
}

/** Answers what Node's HTTP parser refuses as JSON too. */
export function answerParserErrors(server: Server): void {
  const statusByCode: Readonly<Record<string, number>> = {
    HPE_HEADER_OVERFLOW: 431,
    HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
    ERR_HTTP_REQUEST_TIMEOUT: 408,
  };
  server.on("clientError", (error: NodeJS.ErrnoException, connection) => {
    const status = statusByCode[error.code ?? ""] ?? 400;
    const refusal = new RunnerError("REQUEST_INVALID", `This is no HTTP request: ${STATUS_CODES[status]}.`, { status });
    if (error.code === "ECONNRESET") connection.destroy();
    else replyRaw(connection, errorReply(refusal));
  });
}
