import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { startRunner } from "./test/fixture.ts";

/** A connection to the runner, and the text it has received. */
async function dial({ runner }: { readonly runner: { readonly url: URL } }) {
  const socket = connect(Number(runner.url.port), runner.url.hostname);
  onTestFinished(() => void socket.destroy());
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk;
  });
  socket.on("error", () => undefined); // The runner may reset it.
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, closed, received: () => received };
}

/**
 * The most CPU time, in ms, that this thread spends between two turns of the event loop until
 * `done`. Unlike the time on a clock, it does not contain the work of other processes.
 */
async function longestBlock(done: Promise<unknown>): Promise<number> {
  let last = process.threadCpuUsage();
  let longestMs = 0;
  const timer = setInterval(() => {
    const now = process.threadCpuUsage();
    longestMs = Math.max(longestMs, (now.user + now.system - last.user - last.system) / 1_000);
    last = now;
  }, 1);
  await done;
  clearInterval(timer);
  return longestMs;
}

const request = (line: string, ...headers: string[]) =>
  [`${line} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n");

test.each(["GET /livez", "GET /nowhere", "POST /start"])(
  "thousands of %s in one write do not block other work",
  async (line) => {
    await using host = await startRunner();
    await host.post("/start"); // loads the parsers of bodies
    const { socket, closed } = await dial(host);
    socket.write(request(line).repeat(16_000));
    // Three times the 50 ms that one input may take.
    expect(await longestBlock(closed)).toBeLessThan(150);
  },
);

test("thousands of pings in one write do not block other work", async () => {
  await using host = await startRunner();
  const { socket } = await host.call();
  const { _socket: connection } = socket as unknown as { readonly _socket: Socket };
  connection.write(Buffer.alloc(30_000 * 6, Buffer.from([0x89, 0x80, 0, 0, 0, 0])));
  expect(await longestBlock(once(socket, "close"))).toBeLessThan(150);
  expect(host.log.messages("warn")).toEqual(["WebSocket rejected"]);
});

test.each([
  ["GET /livez", ""],
  ["OPTIONS /start", "Origin: http://localhost"],
  ["GET /client/", ""],
])("a body that continues after the response to %s is read for a second", async (line, header) => {
  await using host = await startRunner();
  const { socket, closed, received } = await dial(host);
  socket.write(request(line, "Transfer-Encoding: chunked", ...(header === "" ? [] : [header])));
  const stop = keepWriting(socket, `10000\r\n${"x".repeat(65_536)}\r\n`);
  const startMs = performance.now();
  await closed;
  stop();
  expect(performance.now() - startMs).toBeLessThan(2_500);
  expect(received().match(/HTTP\/1\.1 \d+/g)).toHaveLength(1);
});

test("an upgrade behind an unanswered request closes the connection", async () => {
  await using host = await startRunner();
  const { socket, closed, received } = await dial(host);
  const upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  socket.write(request("GET /metrics") + request("GET /fake", ...upgrade, key));
  await closed;
  expect(received()).not.toContain("101 Switching Protocols");
});

function keepWriting(socket: Socket, text: string): () => void {
  let writing = true;
  void (async () => {
    while (writing && !socket.destroyed) {
      socket.write(text);
      await sleep(10);
    }
  })();
  return () => {
    writing = false;
  };
}

test("a runner that closes answers the requests of connections that wait to be accepted", async () => {
  await using host = await startRunner({ host: "127.0.0.1" });
  const dialed = await Promise.all(Array.from({ length: 20 }, () => dial(host)));
  for (const { socket } of dialed) socket.write(request("GET /livez", "Connection: close"));
  // Now the handshakes are done, but this process has not accepted the connections.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  await host.runner.close();
  for (const { closed, received } of dialed) {
    await closed;
    expect(received()).toContain("200 OK");
  }
});
