import { expect, test } from "vitest";
import { useGround } from "./ground.ts";
import { exchange, head } from "./raw.ts";

const ground = useGround();
const json = "Content-Type: application/json";
const tenMegabytes = JSON.stringify({ body: "x".repeat(10_000_000) });

/** The status and the code that `POST /start` answers to a body, sent as it is. */
async function start(body: string | Uint8Array, ...headers: string[]): Promise<string> {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  return await post(Buffer.concat([Buffer.from(head("POST /start", length, ...headers)), Buffer.from(body)]));
}

async function post(bytes: string | Uint8Array): Promise<string> {
  const [answer] = await exchange(ground.server.port, bytes, 1);
  if (!answer) return "no answer";
  const { code = "a session" } = JSON.parse(answer.body) as { readonly code?: string };
  return `${answer.status} ${code}`;
}

/** Fails unless each body gets its answer. */
async function expectAnswers(
  cases: readonly (readonly [body: string | Uint8Array, answer: string, ...headers: string[]])[],
): Promise<void> {
  for (const [body, answer, ...headers] of cases) {
    const what = `${headers.join(", ")} ${String(body).slice(0, 60)}`;
    expect(await start(body, ...(headers.length > 0 ? headers : [json])), what).toBe(answer);
  }
}

test("JSON that is cut off, no object, or of the wrong types", async () => {
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

test("bodies named after what objects inherit add nothing to other objects, and reach the bot as they are", async () => {
  const { server } = ground;
  const names =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1,"hasOwnProperty":1}';
  await expectAnswers([
    [names, "200 a session"],
    [`{"body":${names}}`, "200 a session"],
  ]);
  const caller = await server.call({ body: JSON.parse(names) });
  await caller.hangUp();
  expect(await server.ask("pollution")).toEqual([]);
});

test("JSON that nests a hundred thousand deep", async () => {
  const [lists, objects] = ["[".repeat(400_000), '{"a":'.repeat(100_000)];
  await expectAnswers([
    [lists, "400 BODY_INVALID"],
    [`{"body":${lists}${"]".repeat(400_000)}}`, "200 a session"],
    [`{"body":${objects}1${"}".repeat(100_000)}}`, "200 a session"],
  ]);
});

test("content types that do not fit, and bytes that are no text", async () => {
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

test.each(["keep-alive", "close"])("ten megabytes, of a client that wants its connection %s", async (connection) => {
  const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  const chunked = head("POST /start", json, "Transfer-Encoding: chunked", `Connection: ${connection}`);
  for (let attempt = 0; attempt < 3; attempt++) {
    await expectAnswers([
      [tenMegabytes, "413 BODY_TOO_LARGE", json, `Connection: ${connection}`],
      [tenMegabytes, "400 BODY_INVALID", "Content-Type: multipart/form-data; boundary=x", `Connection: ${connection}`],
    ]);
    expect(await post(`${chunked}${chunk.repeat(160)}0\r\n\r\n`)).toBe("413 BODY_TOO_LARGE");
  }
  const { liveBytes } = await ground.server.ask("holdings");
  expect(liveBytes - ground.before.liveBytes).toBeLessThan(5_000_000);
});
