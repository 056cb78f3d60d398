import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Server, startServer } from "../server/server.ts";
import { createRandom, type Random, useServer } from "./fixture.ts";
import { exchange, handshake, head } from "./raw-connection.ts";

const uploadsFolder = mkdtempSync(join(tmpdir(), "pipecat-fuzz-"));
afterAll(() => rmSync(uploadsFolder, { recursive: true }));
const fixture = useServer({ downloadsFolder: import.meta.dirname, uploadsFolder, transports: "all" });
const carriers = ["twilio", "telnyx", "plivo", "exotel", "vonage"];
const key = "the-key-of-this-runner";

/** Every documented path. `ID` stands for the id of a pending session. */
const documented = documentedPaths();
/** Paths that are not documented. */
const others = [
  "/client/index.html",
  "/client/assets/x.js",
  "/files/fuzz.slow.test.ts",
  "/files/fixture.ts",
  "/files/../package.json",
  "/sessions/nobody/x",
  "/ws-client/nobody",
  "/ws-client?token=ID",
  "/ws-client/ID.1.x",
  "*",
  "//",
];

/** The paths in the table of routes in `docs/parity.md`. */
function documentedPaths(): string[] {
  const text = readFileSync(new URL("../../docs/parity.md", import.meta.url), "utf8");
  const table = text.match(/^## Routes\n(.+?)^## /ms)?.[1] ?? "";
  const found = [...table.matchAll(/`(?:[A-Z|\\]+ )?(\/[^` ]*)/g)].map(([, path = ""]) => path);
  const each = found.flatMap((path) => carriers.map((carrier) => path.replace("{carrier}", carrier)));
  const filled = each.map((path) => path.replace(/\{(id|sessionId|token)\}/g, "ID").replace(/\{\w+\}/g, "x"));
  return [...new Set(filled)].filter((path) => !path.includes("...") && path !== "");
}

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
  "CallSid=CA1&CallUUID=1&From=%2B15550100",
  '{"sdp":"v=0","type":"offer"}',
  '{"sdp":7,"type":"offer","pc_id":"x.1"}',
  '{"pc_id":"ID.1","candidates":[{"candidate":"","sdp_mid":null,"sdp_mline_index":-1}]}',
  '{"transport":"daily","createDailyRoom":true}',
  '{"From":"+15550100","To":"+15550199","callId":"x","callDomain":"y"}',
  '{"object":"whatsapp_business_account","entry":[{}]}',
];
const headers = [
  ...handshake,
  "Content-Type: application/json",
  "Content-Type: multipart/form-data",
  "Content-Type: ;;;",
  "Content-Encoding: gzip",
  "Accept: */*;q=9",
  "Range: bytes=5-1",
  "Range: bytes=1-5",
  "Range: bytes=-1",
  "Range: bytes=99999999-",
  "Range: bytes=0-0,-1,99999999999999999999-",
  "If-None-Match: *",
  "If-Modified-Since: yesterday",
  "Expect: 100-continue",
  "Origin: null",
  "Origin: http://127.0.0.1.evil.example",
  "Origin: http://localhost:5173",
  "Authorization: Bearer x",
  `Authorization: Bearer ${key}`,
  "Authorization: Bearer ID.9999999999.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  "Access-Control-Request-Method: PATCH",
  "X-Forwarded-Host: ,,,",
  "X-Forwarded-Proto: javascript",
  "X-Twilio-Signature: x",
  "X-Hub-Signature-256: sha256=00",
  "X-Pinless-Signature: x",
  "Content-Type: application/x-www-form-urlencoded",
  "Cookie: ;=;",
  "TE: trailers",
  "Connection: close",
];

function randomRequest(random: Random, id: string): Buffer {
  const method = random.pick(methods);
  const path = mutate(random, 3, random.pick(random.pick([documented, others])).replace("ID", id));
  const body = random.number(3) === 0 ? random.bytes(random.number(200)) : Buffer.from(random.pick(texts));
  const lines = Array.from({ length: random.number(4) }, () => mutate(random, 20, random.pick(headers)));
  if (random.number(6) === 0) lines.push(...handshake);
  else lines.push("Connection: close");
  if (random.number(3) > 0) lines.push(`Content-Length: ${random.number(20) ? body.length : random.number(300)}`);
  return Buffer.concat([Buffer.from(head(`${method} ${path}`, ...lines), "latin1"), body]);
}

/** Changes, adds or removes a character in one of `of` texts. */
function mutate(random: Random, of: number, text: string): string {
  if (random.number(of) > 0) return text;
  const at = random.number(text.length);
  const replacements = ["", "%", "%00", "/", "..", "\\", "?", "#", " ", "\u00ff", "\u0000", "'", "x".repeat(300)];
  return text.slice(0, at) + random.pick(replacements) + text.slice(at + random.number(2));
}

test("the documentation lists the routes", () => {
  const some = [
    "/start",
    "/sessions/ID",
    "/sessions/ID/x",
    "/files/x",
    "/metrics",
    "/api/offer",
    "/daily",
    "/whatsapp",
  ];
  expect(documented).toEqual(
    expect.arrayContaining([...some, "/daily-dialin-webhook", "/ws/ID", "/twilio", "/exotel", "/vonage"]),
  );
});

test("10,000 random requests get no 5xx, and every error is JSON", async () => {
  const { server } = fixture;
  const seen = await fuzz(server, 3, 10_000, async () =>
    String((await server.start({ transport: "websocket" })).headers["x-session-id"]),
  );
  // The random requests reach every kind of response.
  expect([...seen]).toEqual(expect.arrayContaining([101, 200, 204, 206, 307, 400, 404, 405, 415, 416]));
}, 120_000);

test("2,000 random requests to a runner with API key, tokens and origins get no 5xx", async () => {
  await using server = await startServer({
    apiKey: key,
    webSocketAuth: "token",
    allowedOrigins: ["https://app.example.com"],
    downloadsFolder: import.meta.dirname,
    uploadsFolder,
  });
  const seen = await fuzz(server, 4, 2_000, async () => "an-unknown-session");
  expect([...seen]).toEqual(expect.arrayContaining([200, 401, 403, 404]));
  expect(server.takeLog().filter(({ level }) => level >= 50)).toEqual([]);
}, 60_000);

/** Sends random requests, 200 at a time. Fails on a 5xx and on an error that is not JSON. Returns the statuses. */
async function fuzz(server: Server, seed: number, total: number, newSession: () => Promise<string>) {
  const random = createRandom(seed);
  const seen = new Set<number>();
  let id = "";
  let sent = 0;
  const sendInTurn = async () => {
    while (sent < total) {
      if (sent++ % 500 === 0) id = await newSession();
      const bytes = randomRequest(random, id);
      const what = JSON.stringify(bytes.toString("latin1"));
      // An incomplete request gets no response.
      for (const { status, headers, body } of await exchange(server.port, bytes, 1, 1_000)) {
        seen.add(status);
        expect(status, what).toBeLessThan(500);
        // Node's own error for a missing Host or an unknown expectation is empty; so is the 416 for a range.
        if (status < 400 || body === "") continue;
        expect(headers["content-type"], what).toMatch(/^application\/json/);
        expect(JSON.parse(body), what).toEqual({ code: expect.any(String), detail: expect.any(String) });
      }
    }
  };
  await Promise.all(Array.from({ length: 200 }, sendInTurn));
  return seen;
}
