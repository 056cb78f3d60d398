import { expect, test } from "vitest";
import { useGround } from "./ground.ts";
import { createRandom, type Random } from "./random.ts";
import { exchange, head } from "./raw.ts";
import { handshake } from "./raw-websocket.ts";

const ground = useGround();

/** What the documentation names, and what it does not; `ID` is that of a session that waits for its caller. */
const paths = [
  "/",
  "/start",
  "/status",
  "/livez",
  "/readyz",
  "/client",
  "/client/",
  "/client/index.html",
  "/client/assets/x.js",
  "/sessions",
  "/sessions/ID",
  "/sessions/ID/api/offer",
  "/sessions/nobody/x",
  "/ws-client",
  "/ws-client/ID",
  "/ws-client/nobody",
  "*",
  "//",
];
const methods = [
  "GET",
  "GET",
  "GET",
  "POST",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "PROPFIND",
  "LOCK",
];
const texts = [
  "",
  "{",
  "{}",
  "[]",
  "null",
  '{"transport":"websocket"}',
  '{"transport":7}',
  '{"body":{"a":[1]}}',
  "a=b",
];
const headers = [
  ...handshake,
  "Content-Type: application/json",
  "Content-Type: multipart/form-data",
  "Content-Type: ;;;",
  "Content-Encoding: gzip",
  "Accept: */*;q=9",
  "Range: bytes=5-1",
  "If-None-Match: *",
  "If-Modified-Since: yesterday",
  "Expect: 100-continue",
  "Origin: null",
  "Access-Control-Request-Method: PATCH",
  "X-Forwarded-Host: ,,,",
  "X-Forwarded-Proto: javascript",
  "Cookie: ;=;",
  "TE: trailers",
  "Connection: close",
];

function randomRequest(random: Random, id: string): Buffer {
  const method = random.pick(methods);
  const path = mutate(random, 3, random.pick(paths).replace("ID", id));
  const body = random.number(3) === 0 ? random.bytes(random.number(200)) : Buffer.from(random.pick(texts));
  const lines = Array.from({ length: random.number(4) }, () => mutate(random, 20, random.pick(headers)));
  if (random.number(6) === 0) lines.push(...handshake);
  else lines.push("Connection: close");
  if (random.number(3) > 0) lines.push(`Content-Length: ${random.number(20) ? body.length : random.number(300)}`);
  return Buffer.concat([Buffer.from(head(`${method} ${path}`, ...lines), "latin1"), body]);
}

/** Of one in `of` texts changes, adds or removes a character. */
function mutate(random: Random, of: number, text: string): string {
  if (random.number(of) > 0) return text;
  const at = random.number(text.length);
  const instead = ["", "%", "%00", "/", "..", "\\", "?", "#", " ", "\u00ff", "\u0000", "'", "x".repeat(300)];
  return text.slice(0, at) + random.pick(instead) + text.slice(at + random.number(2));
}

test("two thousand random requests: no answer of 500 and above, and none that is not JSON where it says that it failed", async () => {
  const random = createRandom(3);
  const { server } = ground;
  let id = "";
  const seen = new Set<number>();
  for (let count = 0; count < 2_000; count += 200) {
    if (count % 200 === 0) id = String((await server.start()).headers["x-session-id"]);
    const requests = Array.from({ length: 200 }, () => randomRequest(random, id));
    const answers = await Promise.all(requests.map((bytes) => exchange(server.port, bytes, 1, 250)));
    for (const [index, each] of answers.entries()) {
      const what = JSON.stringify(requests[index]?.toString("latin1"));
      for (const { status, headers, body } of each) {
        seen.add(status);
        expect(status, what).toBeLessThan(500);
        // Node's own answer to what has no Host, or expects what nobody can do, is empty.
        if (status < 400 || body === "") continue;
        expect(headers["content-type"], what).toMatch(/^application\/json/);
        expect(JSON.parse(body), what).toEqual({ code: expect.any(String), detail: expect.any(String) });
      }
    }
  }
  // What it tried is worth trying: every kind of answer was among them.
  expect([...seen]).toEqual(expect.arrayContaining([101, 200, 204, 307, 400, 404, 405, 415]));
});
