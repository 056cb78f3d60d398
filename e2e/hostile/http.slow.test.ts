import { until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { useServer } from "./fixture.ts";
import { dial, exchange, head, type RawConnection } from "./raw-connection.ts";

const fixture = useServer();
const json = "Content-Type: application/json";

/** Opens connections at the same time and sends the same bytes on each. */
async function dialMany(count: number, bytes: string): Promise<RawConnection[]> {
  const connections = await Promise.all(Array.from({ length: count }, () => dial(fixture.server.port)));
  for (const { socket } of connections) socket.write(bytes);
  return connections;
}

async function hangUp(connections: readonly RawConnection[]): Promise<void> {
  for (const { socket } of connections) socket.destroy();
  await Promise.all(connections.map(({ closed }) => closed));
}

const incomplete: Readonly<Record<string, string>> = {
  "a body shorter than its length": `${head("POST /start", "Content-Length: 100")}{`,
  "chunks without an end": `${head("POST /start", "Transfer-Encoding: chunked")}5\r\n{"bod\r\n`,
  "half a chunk": `${head("POST /start", "Transfer-Encoding: chunked")}fffff\r\n{`,
  "half a header": "POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Ty",
  nothing: "",
};

test("500 incomplete requests cost less than 50 kB each and do not block others", async () => {
  const opened = await Promise.all(Object.values(incomplete).map((bytes) => dialMany(100, bytes)));
  const connections = opened.flat();
  expect(await fixture.server.start()).toMatchObject({ status: 200 });
  const { liveBytes } = await fixture.server.ask("holdings");
  expect((liveBytes - fixture.before.liveBytes) / connections.length, "bytes per connection").toBeLessThan(50_000);
  expect(connections.flatMap(({ answers }) => answers())).toEqual([]);
  await hangUp(connections);
});

test("a request that breaks off gets 400", async () => {
  for (const [what, bytes] of Object.entries(incomplete)) {
    const { socket, answers, closed } = await dial(fixture.server.port);
    socket.end(bytes);
    await closed;
    const refusal = { status: 400, body: expect.stringContaining('"REQUEST_INVALID"') };
    expect(answers(), what).toMatchObject(bytes === "" ? [] : [refusal]);
  }
});

test("the server waits for a body that arrives byte by byte", async () => {
  const body = '{"body":{}}';
  const connections = await dialMany(100, head("POST /start", `Content-Length: ${body.length}`));
  for (const byte of body) {
    for (const { socket } of connections) socket.write(byte);
    expect(await fixture.server.start()).toMatchObject({ status: 200 });
  }
  await until("all requests are answered", () => connections.every(({ answers }) => answers().length === 1), 5_000);
  expect(connections.flatMap(({ answers }) => answers()).every(({ status }) => status === 200)).toBe(true);
  await hangUp(connections);
});

test("a body without an end gets 413 and costs less than 5 MB", async () => {
  const [connection] = await dialMany(1, head("POST /start", "Transfer-Encoding: chunked"));
  const { socket, answers } = connection as RawConnection;
  const chunk = `100000\r\n${"x".repeat(0x100000)}\r\n`;
  for (let sent = 0; sent < 50; sent++) await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
  expect(answers()).toMatchObject([{ status: 413 }]);
  const { liveBytes } = await fixture.server.ask("holdings");
  expect(liveBytes - fixture.before.liveBytes).toBeLessThan(5_000_000);
  await hangUp([connection as RawConnection]);
});

const invalid: Readonly<Record<string, string>> = {
  "a negative length": head("POST /start", "Content-Length: -1"),
  "a length that is not a number": head("POST /start", "Content-Length: many"),
  "two lengths": head("POST /start", "Content-Length: 2", "Content-Length: 3"),
  "a length of 23 digits": head("POST /start", "Content-Length: 99999999999999999999999"),
  "a length and chunks": `${head("POST /start", "Content-Length: 2", "Transfer-Encoding: chunked")}0\r\n\r\n`,
  "an unknown transfer encoding": `${head("POST /start", "Transfer-Encoding: zip")}{}`,
  "a chunk of length zz": `${head("POST /start", "Transfer-Encoding: chunked")}zz\r\n`,
  "an unknown method": head("START /start"),
  "a header with a null byte": head("GET /status", "X-Null: a\0b"),
  "a space before the colon": head("GET /status", "X-Space : a"),
  "a folded header": head("GET /status", "X-Fold: a", " b"),
  "lines without carriage returns": head("GET /status").replaceAll("\r", ""),
  "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  TLS: Buffer.from("16030102000100fc0303", "hex").toString("latin1"),
};

test("8 clients that send bodies in one-byte chunks, again and again, get 400 and disturb nobody", async () => {
  const chunks = `${head("POST /start", "Transfer-Encoding: chunked")}${"1\r\nx\r\n".repeat(50_000)}`;
  const endsAt = performance.now() + 3_000;
  const flood = async () => {
    let statuses = 0;
    while (performance.now() < endsAt) {
      const answers = await exchange(fixture.server.port, chunks, 1);
      expect(answers).toMatchObject([{ status: 400, body: expect.stringContaining("too many small pieces") }]);
      statuses++;
    }
    return statuses;
  };
  const counts = await Promise.all(Array.from({ length: 8 }, flood));
  expect(Math.min(...counts)).toBeGreaterThan(1);
});

test("invalid HTTP gets 400 and closes the connection", async () => {
  for (const [what, bytes] of Object.entries(invalid)) {
    const answers = await exchange(fixture.server.port, bytes);
    expect(answers, what).toMatchObject([{ status: 400, body: expect.stringContaining('"REQUEST_INVALID"') }]);
  }
});

test("a header of 20,000 bytes, and 2,000 headers, get 431", async () => {
  const many = Array.from({ length: 2_000 }, (_, index) => `X-${index}: x`);
  for (const lines of [[`X: ${"x".repeat(20_000)}`], many]) {
    expect(await exchange(fixture.server.port, head("GET /status", ...lines))).toMatchObject([{ status: 431 }]);
  }
});

test("junk after a request gets 400, after the response or instead of it, and closes the connection", async () => {
  const { port } = fixture.server;
  const start = `${head("POST /start", "Content-Length: 2")}{}`;
  for (const requests of [start, head("GET /status"), head("GET /client/")]) {
    const statuses = (await exchange(port, `${requests}\u0000junk\r\n\r\n`)).map(({ status }) => status);
    expect(statuses.at(-1)).toBe(400);
    expect(statuses.slice(0, -1)).toEqual(statuses.length > 1 ? [200] : []);
  }
});

test("17 requests in one write are answered in order, the 18th gets 429, and the others nothing", async () => {
  const paths = ["/status", "/nowhere", "/livez", "/sessions/nobody/x"];
  const requests = Array.from({ length: 1_000 }, (_, index) => head(`GET ${paths[index % 4]}`));
  const statuses = (await exchange(fixture.server.port, requests.join(""))).map(({ status }) => status);
  expect(statuses).toEqual([...Array.from({ length: 17 }, (_, index) => [200, 404, 200, 404][index % 4]), 429]);
});

test("a request that waits for the response before it gets its whole body", async () => {
  const body = JSON.stringify({ body: "x".repeat(300_000) });
  const requests = `${head("GET /client/")}${head("POST /start", json, `Content-Length: ${body.length}`)}${body}`;
  const answers = await exchange(fixture.server.port, requests.repeat(3), 6);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
});

test.each(["/status", "/client/"])(
  "a client that requests %s 20,000 times and reads nothing costs less than 5 MB",
  async (path) => {
    const [connection] = await dialMany(1, "");
    const { socket } = connection as RawConnection;
    socket.pause();
    const batch = head(`GET ${path}`).repeat(1_000);
    for (let sent = 0; sent < 20; sent++) {
      socket.write(batch);
      expect(await fixture.server.start()).toMatchObject({ status: 200 });
    }
    const { liveBytes } = await fixture.server.ask("holdings");
    expect(liveBytes - fixture.before.liveBytes).toBeLessThan(5_000_000);
    await hangUp([connection as RawConnection]);
  },
);

const tenMegabytes = JSON.stringify({ body: "x".repeat(10_000_000) });

/** The status and code of the response to `POST /start` with this body. */
async function start(body: string | Uint8Array, ...headers: string[]): Promise<string> {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  return await post(Buffer.concat([Buffer.from(head("POST /start", length, ...headers)), Buffer.from(body)]));
}

async function post(bytes: string | Uint8Array): Promise<string> {
  const [answer] = await exchange(fixture.server.port, bytes, 1);
  if (!answer) return "no response";
  const { code = "a session" } = JSON.parse(answer.body) as { readonly code?: string };
  return `${answer.status} ${code}`;
}

/** Fails unless each body gets this status and code. */
async function expectAnswers(
  cases: readonly (readonly [body: string | Uint8Array, answer: string, ...headers: string[]])[],
): Promise<void> {
  for (const [body, answer, ...headers] of cases) {
    const what = `${headers.join(", ")} ${String(body).slice(0, 60)}`;
    expect(await start(body, ...(headers.length > 0 ? headers : [json])), what).toBe(answer);
  }
}

test("a body that is truncated JSON, not an object, or of the wrong types gets 400", async () => {
  const whole = '{"transport":"websocket","body":{"name":"Ada","list":[1,2,{"a":null}]}}';
  const cut = Array.from({ length: whole.length - 1 }, (_, end) => whole.slice(0, end + 1));
  await expectAnswers([
    ...cut.map((body) => [body, "400 BODY_INVALID"] as const),
    ...["null", "[]", "[{}]", '"x"', "0", "-1", "true", "NaN", "{}{}", "{'a':1}", "\u0000", "\ud800"].map(
      (body) => [body, "400 BODY_INVALID"] as const,
    ),
    ...["1", "true", "[]", "{}", '["websocket"]', '{"name":"websocket"}'].map(
      (transport) => [`{"transport":${transport}}`, "400 BODY_INVALID"] as const,
    ),
    ...[
      "",
      "x",
      "WEBSOCKET",
      "websocket ",
      "websocket\\u0000",
      "__proto__",
      "constructor",
      "toString",
      "x".repeat(9_000),
    ].map((transport) => [`{"transport":"${transport}"}`, "400 TRANSPORT_UNKNOWN"] as const),
    ...["null", "0", '"x"', "[]", "[[[[]]]]", "{}", "1e999", '{"transport":7}'].map(
      (body) => [`{"body":${body}}`, "200 a session"] as const,
    ),
    ['{"transport":null}', "200 a session"],
    ["", "200 a session"],
  ]);
});

test("a body with the key __proto__ gets 400, other inherited names stay plain data", async () => {
  const { server } = fixture;
  const names = '{"constructor":{"prototype":{"polluted":1}},"toString":1,"hasOwnProperty":1}';
  const poisoned = '{"__proto__":{"polluted":1}}';
  await expectAnswers([
    [names, "200 a session"],
    [`{"body":${names}}`, "200 a session"],
    [poisoned, "400 BODY_INVALID"],
    [`{"body":${poisoned}}`, "400 BODY_INVALID"],
  ]);
  const caller = await server.call({ body: JSON.parse(names) });
  await caller.hangUp();
  expect(await server.ask("pollution")).toEqual([]);
});

test("JSON that nests 100,000 levels deep gets a response", async () => {
  const [lists, objects] = ["[".repeat(400_000), '{"a":'.repeat(100_000)];
  await expectAnswers([
    [lists, "400 BODY_INVALID"],
    [`{"body":${lists}${"]".repeat(400_000)}}`, "400 BODY_INVALID"],
    [`{"body":${objects}1${"}".repeat(100_000)}}`, "400 BODY_INVALID"],
  ]);
});

test("a wrong content type and invalid text get 400 or 415", async () => {
  const unknown = '{"transport":"x"}';
  const types = [
    "text/plain",
    "image/png",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "///",
    ";",
    "",
  ];
  await expectAnswers([
    ...types.map((type) => [unknown, "400 TRANSPORT_UNKNOWN", `Content-Type: ${type}`] as const),
    ["transport=websocket", "400 BODY_INVALID", "Content-Type: application/x-www-form-urlencoded"],
    [unknown, "400 BODY_INVALID", "Content-Type: multipart/form-data; boundary=x"],
    [unknown, "400 BODY_INVALID", "Content-Type: multipart/form-data"],
    [unknown, "415 REQUEST_INVALID", json, "Content-Encoding: gzip"],
    [Buffer.from(unknown, "utf16le"), "400 BODY_INVALID", `${json}; charset=utf-16`],
    [Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), "400 BODY_INVALID"],
  ]);
});

test.each(["keep-alive", "close"])("10 MB get 413 and are not kept (Connection: %s)", async (connection) => {
  const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  const chunked = head("POST /start", json, "Transfer-Encoding: chunked", `Connection: ${connection}`);
  for (let attempt = 0; attempt < 3; attempt++) {
    await expectAnswers([
      [tenMegabytes, "413 BODY_TOO_LARGE", json, `Connection: ${connection}`],
      [tenMegabytes, "400 BODY_INVALID", "Content-Type: multipart/form-data; boundary=x", `Connection: ${connection}`],
    ]);
    expect(await post(`${chunked}${chunk.repeat(160)}0\r\n\r\n`)).toBe("413 BODY_TOO_LARGE");
  }
  const { liveBytes } = await fixture.server.ask("holdings");
  expect(liveBytes - fixture.before.liveBytes).toBeLessThan(5_000_000);
});
