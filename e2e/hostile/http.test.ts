import { until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { useGround } from "./ground.ts";
import { dial, exchange, head, type RawConnection } from "./raw.ts";

const ground = useGround();

/** Opens connections, all at once, and sends each of them the same. */
async function dialMany(count: number, bytes: string): Promise<RawConnection[]> {
  const connections = await Promise.all(Array.from({ length: count }, () => dial(ground.server.port)));
  for (const { socket } of connections) socket.write(bytes);
  return connections;
}

async function hangUp(connections: readonly RawConnection[]): Promise<void> {
  for (const { socket } of connections) socket.destroy();
  await Promise.all(connections.map(({ closed }) => closed));
}

const requests: Readonly<Record<string, string>> = {
  "a body shorter than its length": `${head("POST /start", "Content-Length: 100")}{`,
  "chunks without end": `${head("POST /start", "Transfer-Encoding: chunked")}5\r\n{"bod\r\n`,
  "half a chunk": `${head("POST /start", "Transfer-Encoding: chunked")}fffff\r\n{`,
  "half a header": "POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Ty",
  nothing: "",
};

test("five hundred connections that never come to an end of what they send", async () => {
  const dialled = await Promise.all(Object.values(requests).map((bytes) => dialMany(100, bytes)));
  const connections = dialled.flat();
  expect(await ground.server.start()).toMatchObject({ status: 200 });
  const { liveBytes } = await ground.server.ask("holdings");
  expect((liveBytes - ground.before.liveBytes) / connections.length, "bytes for each connection").toBeLessThan(50_000);
  expect(connections.flatMap(({ answers }) => answers())).toEqual([]);
  await hangUp(connections);
});

test("requests that break off are answered 400", async () => {
  for (const [what, bytes] of Object.entries(requests)) {
    const { socket, answers, closed } = await dial(ground.server.port);
    socket.end(bytes);
    await closed;
    const refusal = { status: 400, body: expect.stringContaining('"REQUEST_INVALID"') };
    expect(answers(), what).toMatchObject(bytes === "" ? [] : [refusal]);
  }
});

test("a body that comes byte by byte is waited for", async () => {
  const body = '{"body":{}}';
  const connections = await dialMany(100, head("POST /start", `Content-Length: ${body.length}`));
  for (const byte of body) {
    for (const { socket } of connections) socket.write(byte);
    expect(await ground.server.start()).toMatchObject({ status: 200 });
  }
  await until("all are answered", () => connections.every(({ answers }) => answers().length === 1), 5_000);
  expect(connections.flatMap(({ answers }) => answers()).every(({ status }) => status === 200)).toBe(true);
  await hangUp(connections);
});

test("a body without end is answered when it is too large, and may go on until its sender gives up", async () => {
  const [connection] = await dialMany(1, head("POST /start", "Transfer-Encoding: chunked"));
  const { socket, answers } = connection as RawConnection;
  const chunk = `100000\r\n${"x".repeat(0x100000)}\r\n`;
  for (let sent = 0; sent < 50; sent++) await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
  expect(answers()).toMatchObject([{ status: 413 }]);
  const { liveBytes } = await ground.server.ask("holdings");
  expect(liveBytes - ground.before.liveBytes).toBeLessThan(5_000_000);
  await hangUp([connection as RawConnection]);
});

const nonsense: Readonly<Record<string, string>> = {
  "a negative length": head("POST /start", "Content-Length: -1"),
  "a length in words": head("POST /start", "Content-Length: many"),
  "two lengths": head("POST /start", "Content-Length: 2", "Content-Length: 3"),
  "a length beyond all numbers": head("POST /start", "Content-Length: 99999999999999999999999"),
  "a length and chunks": `${head("POST /start", "Content-Length: 2", "Transfer-Encoding: chunked")}0\r\n\r\n`,
  "a transfer encoding that does not exist": `${head("POST /start", "Transfer-Encoding: zip")}{}`,
  "a chunk of length zz": `${head("POST /start", "Transfer-Encoding: chunked")}zz\r\n`,
  "a method that does not exist": head("START /start"),
  "a header with a null in it": head("GET /status", "X-Null: a\0b"),
  "a space before the colon": head("GET /status", "X-Space : a"),
  "a folded header": head("GET /status", "X-Fold: a", " b"),
  "lines without carriage returns": head("GET /status").replaceAll("\r", ""),
  "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  TLS: Buffer.from("16030102000100fc0303", "hex").toString("latin1"),
};

test("what is no HTTP is answered 400, and the connection closed", async () => {
  for (const [what, bytes] of Object.entries(nonsense)) {
    const answers = await exchange(ground.server.port, bytes);
    expect(answers, what).toMatchObject([{ status: 400, body: expect.stringContaining('"REQUEST_INVALID"') }]);
  }
});

test("headers of 20,000 bytes, and two thousand of them: 431", async () => {
  const many = Array.from({ length: 2_000 }, (_, index) => `X-${index}: x`);
  for (const lines of [[`X: ${"x".repeat(20_000)}`], many]) {
    expect(await exchange(ground.server.port, head("GET /status", ...lines))).toMatchObject([{ status: 431 }]);
  }
});

test("junk behind a request is answered 400, after the request or in place of it, and closes the connection", async () => {
  const { port } = ground.server;
  const start = `${head("POST /start", "Content-Length: 2")}{}`;
  for (const requests of [start, head("GET /status"), head("GET /client/")]) {
    const statuses = (await exchange(port, `${requests}\u0000junk\r\n\r\n`)).map(({ status }) => status);
    expect(statuses.at(-1)).toBe(400);
    expect(statuses.slice(0, -1)).toEqual(statuses.length > 1 ? [200] : []);
  }
});

test("a thousand requests in one piece are answered in their order", async () => {
  const paths = ["/status", "/nowhere", "/livez", "/sessions/nobody/x"];
  const requests = Array.from({ length: 1_000 }, (_, index) => head(`GET ${paths[index % 4]}`));
  const answers = await exchange(ground.server.port, requests.join(""), 1_000);
  expect(answers.map(({ status }) => status)).toEqual(requests.map((_, index) => [200, 404, 200, 404][index % 4]));
});

test.each(["/status", "/client/"])(
  "a client that asks for %s twenty thousand times and reads no answer",
  async (path) => {
    const [connection] = await dialMany(1, "");
    const { socket } = connection as RawConnection;
    socket.pause();
    const batch = head(`GET ${path}`).repeat(1_000);
    for (let sent = 0; sent < 20; sent++) {
      socket.write(batch);
      expect(await ground.server.start()).toMatchObject({ status: 200 });
    }
    const { liveBytes } = await ground.server.ask("holdings");
    expect(liveBytes - ground.before.liveBytes).toBeLessThan(20_000_000);
    await hangUp([connection as RawConnection]);
  },
);
