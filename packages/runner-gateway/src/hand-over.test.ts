import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { pipeUpgrade, stopReading } from "./hand-over.ts";

/** Both ends of a connection. */
async function openConnection(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ allowHalfOpen: true }); // Like servers for HTTP.
  await once(server.listen(0, "127.0.0.1"), "listening");
  const far = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [near] = (await once(server, "connection")) as [Socket];
  server.close();
  onTestFinished(() => {
    near.destroy();
    far.destroy();
  });
  return { near, far };
}

test("a connection whose reading is stopped leaves what arrives to the process that takes it", async () => {
  const stopped = await openConnection();
  const paused = await openConnection();
  expect(stopReading(stopped.near)).toBe(true);
  paused.near.pause();
  stopped.far.write("hello");
  paused.far.write("hello");
  await expect.poll(() => paused.near.bytesRead, { message: "pause() alone reads on" }).toBe(5);
  expect(stopped.near.bytesRead).toBe(0);
});

test("a connection that cannot be handed over is reported", () => {
  expect(stopReading(new PassThrough())).toBe(false);
});

test("such a connection passes through this process, with its caller's address and without headers that only the gateway may send", async () => {
  const { near: connection, far } = await openConnection();
  const path = `\0gateway-test-${process.pid}`;
  const worker = createServer({ allowHalfOpen: true });
  await once(worker.listen(path), "listening");
  onTestFinished(() => void worker.close());
  const request = {
    ...{ method: "GET", url: "/fake", httpVersion: "1.1", socket: { remoteAddress: "10.0.0.1" } },
    rawHeaders: ["Host", "x", "X-Pipecat-Client", "1.2.3.4"],
  } as unknown as IncomingMessage;
  const toWorker = connect({ path, allowHalfOpen: true });
  pipeUpgrade(toWorker, { request, connection, head: Buffer.from("first") });
  const [upstream] = (await once(worker, "connection")) as [Socket];
  far.end("second");
  expect(await text(upstream)).toBe("GET /fake HTTP/1.1\r\nHost: x\r\nx-pipecat-client: 10.0.0.1\r\n\r\nfirstsecond");
  upstream.end("answer");
  expect(await text(far)).toBe("answer");
  await expect.poll(() => connection.destroyed && toWorker.destroyed).toBe(true);
});
