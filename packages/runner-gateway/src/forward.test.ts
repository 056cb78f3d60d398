import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { type ForwardOptions, forward } from "./forward.ts";

test("a request whose client has left meanwhile reaches no worker", async () => {
  const findWorker = () => expect.fail("a worker is looked up");
  const pool = { sessions: { ownerOf: findWorker }, get: findWorker };
  const options = { pool, streams: () => undefined, resent: () => undefined } as unknown as ForwardOptions;
  const response = new PassThrough();
  response.destroy();
  await once(response, "close");
  await forward(options, {} as IncomingMessage, response as unknown as ServerResponse);
});

test("the gateway closes the connection to a worker, because a worker that did so could answer too early to be heard", async () => {
  const path = join(tmpdir(), `forward-${process.pid}.sock`);
  const worker = createServer((_, response) => void response.end("answer")).listen(path);
  await once(worker, "listening");
  const closed: string[] = [];
  worker.once("connection", (socket: Socket) => {
    socket.once("end", () => closed.push("gateway")).once("finish", () => closed.push("worker"));
  });
  const headers = { host: "localhost", "content-length": "4" };
  const request = Object.assign(Readable.from(["body"]), {
    ...{ method: "POST", url: "/sessions/one", headers, rawHeaders: Object.entries(headers).flat(), socket: {} },
  });
  const response = Object.assign(new PassThrough(), { writeHead: () => undefined });
  const pool = { sessions: { ownerOf: () => 1 }, get: () => ({ number: 1, connect: () => connect(path) }) };
  await forward(
    { pool, streams: () => undefined, resent: () => undefined } as unknown as ForwardOptions,
    request as unknown as IncomingMessage,
    response as unknown as ServerResponse,
  );
  expect(await text(response)).toBe("answer");
  await expect.poll(() => closed).toEqual(["gateway", "worker"]);
  worker.close();
});
