import type { OpenTransport, StartReply } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { fakePlugin } from "./test/fake-plugin.ts";
import { startRunner } from "./test/fixture.ts";

/** A transport whose reply says that it was chosen. */
function named(name: string, rank: number, opened: Partial<OpenTransport> = {}) {
  const start = (): StartReply => ({ sessionId: `${name}-session`, body: { chosen: name } });
  return fakePlugin({ name, rank, opened: { sockets: [], start, ...opened } });
}

const pigeon = named("pigeon", 1);
const telegraph = named("telegraph", 3, { claims: (body) => body.morse === true });
const lighthouse = named("lighthouse", 2);
const broken = fakePlugin({
  name: "kite",
  check: () => ({ state: "unavailable", reason: "There is no wind", fix: "Wait for a storm." }),
});
const plugins = [pigeon, telegraph, lighthouse, broken];

test("the transport is the one named, else the one that claims the body, else the highest rank", async () => {
  await using host = await startRunner({ plugins });
  const chosen = async (body?: unknown) => (await host.post("/start", body)).body.chosen;
  expect(await chosen()).toBe("telegraph");
  expect(await chosen({})).toBe("telegraph");
  expect(await chosen({ transport: null })).toBe("telegraph");
  expect(await chosen({ transport: "pigeon", morse: true })).toBe("pigeon");
  expect(await (await host.fetch("/status")).json()).toEqual({
    status: "ready",
    transports: ["telegraph", "lighthouse", "pigeon"],
  });
});

test("a claim counts more than rank", async () => {
  const claiming = named("claiming", -1, { claims: (body) => body.morse === true });
  await using host = await startRunner({ plugins: [pigeon, claiming] });
  expect((await host.post("/start", { morse: true })).body).toEqual({ chosen: "claiming" });
  expect((await host.post("/start", { morse: false })).body).toEqual({ chosen: "pigeon" });
});

test("the reply is exactly the transport's, with the session's id beside it for other origins, too", async () => {
  await using host = await startRunner({ plugins });
  const response = await host.fetch("/start", { method: "POST", headers: { origin: "https://shop.example" } });
  expect(response.status).toBe(200);
  expect(response.headers.get("x-session-id")).toBe("telegraph-session");
  expect(response.headers.get("access-control-expose-headers")).toBe("X-Session-Id");
  expect(response.headers.get("content-type")).toContain("application/json");
  expect(await response.text()).toBe('{"chosen":"telegraph"}');
});

test("restricted to one transport, that is the default and the others are excluded", async () => {
  await using host = await startRunner({ plugins, transport: "pigeon" });
  expect((await host.post("/start")).body).toEqual({ chosen: "pigeon" });
  expect((await host.post("/start", { morse: true })).body).toEqual({ chosen: "pigeon" });
  const { status, body } = await host.post("/start", { transport: "telegraph" });
  expect([status, body.code]).toEqual([400, "TRANSPORT_EXCLUDED"]);
  expect(body.detail).toContain('"pigeon" only, not "telegraph"');
  expect(await (await host.fetch("/status")).json()).toEqual({ status: "ready", transports: ["pigeon"] });
});

test("an unknown transport is told what is installed and how to get others", async () => {
  await using host = await startRunner({ plugins });
  const { status, body, headers } = await host.post("/start", { transport: "telepathy" });
  expect([status, body.code]).toEqual([400, "TRANSPORT_UNKNOWN"]);
  expect(body.detail).toContain('No transport "telepathy" is installed');
  expect(body.detail).toContain('Installed: "telegraph", "lighthouse", "pigeon", "kite".');
  expect(body.detail).toContain("npm i @pipecat-ts/runner-telepathy");
  expect(headers.get("x-session-id")).toBeNull();
  const odd = await host.post("/start", { transport: "; rm -rf / ".repeat(50) });
  expect(odd.body.detail).toContain("npm i @pipecat-ts/runner-<name>");
  expect(String(odd.body.detail).length).toBeLessThan(400);
});

test("a transport that cannot run says why and what would help", async () => {
  await using host = await startRunner({ plugins });
  const { status, body } = await host.post("/start", { transport: "kite" });
  expect([status, body.code]).toEqual([400, "TRANSPORT_UNAVAILABLE"]);
  expect(body.detail).toContain("There is no wind. Wait for a storm.");
});

test("with nothing to choose from, the answer says so", async () => {
  await using nothing = await startRunner({ plugins: [] });
  expect((await nothing.post("/start")).body).toMatchObject({ code: "TRANSPORT_UNKNOWN" });
  await using only = await startRunner({ plugins: [broken] });
  const { body } = await only.post("/start");
  expect(body.code).toBe("TRANSPORT_UNAVAILABLE");
  expect(body.detail).toContain('"kite": There is no wind. Wait for a storm.');
});

test.each([
  ["a list", []],
  ["a string", "webby"],
  ["a number", 7],
  ["a boolean", true],
  ["null", null],
])("a body that is %s is refused", async (what, json) => {
  await using host = await startRunner({ plugins });
  const { status, body } = await host.post("/start", json);
  expect([status, body.code]).toEqual([400, "BODY_INVALID"]);
  expect(body.detail).toContain(what);
});

test.each([7, true, {}, ["pigeon"]])("a transport of another type than text is refused: %j", async (transport) => {
  await using host = await startRunner({ plugins });
  const { status, body } = await host.post("/start", { transport });
  expect([status, body.code]).toEqual([400, "BODY_INVALID"]);
  expect(body.detail).toContain('"transport"');
});

test("JSON counts whatever it is called: curl calls it a form, and clients call nothing JSON", async () => {
  await using host = await startRunner({ plugins });
  for (const type of ["application/x-www-form-urlencoded", "text/plain", "application/octet-stream"]) {
    const headers = { "content-type": type };
    const response = await host.fetch("/start", { method: "POST", headers, body: '{"transport":"pigeon"}' });
    expect(await response.json()).toEqual({ chosen: "pigeon" });
  }
  const empty = await host.fetch("/start", { method: "POST", headers: { "content-type": "application/json" } });
  expect(empty.status).toBe(200);
});

test("a multipart body is refused rather than ignored", async () => {
  await using host = await startRunner({ plugins });
  const body = new FormData();
  body.set("transport", "pigeon");
  const response = await host.fetch("/start", { method: "POST", body });
  const detail = expect.stringContaining("multipart");
  expect([response.status, await response.json()]).toEqual([400, { code: "BODY_INVALID", detail }]);
});

test("the start body reaches the bot, and at capacity the next is told to come again", async () => {
  const bodies: unknown[] = [];
  await using host = await startRunner({
    maxSessions: 1,
    bot: ({ body, signal }) => {
      bodies.push(body);
      return new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const { socket, id } = await host.call({ table: 4 });
  await expect.poll(() => bodies).toEqual([{ table: 4 }]);
  const refused = await host.post("/start");
  expect([refused.status, refused.body.code]).toEqual([429, "AT_CAPACITY"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  socket.close();
  await host.runner.sessions.find(id)?.end("ended-by-request");
  expect((await host.post("/start")).status).toBe(200);
});

test("a transport is not even asked while nobody would be taken", async () => {
  const asked = vi.fn(() => ({ sessionId: "", body: {} }));
  await using host = await startRunner({
    maxSessions: 1,
    plugins: [fakePlugin(), named("pigeon", -1, { start: asked })],
  });
  await host.call();
  expect((await host.post("/start", { transport: "pigeon" })).status).toBe(429);
  expect(asked).not.toHaveBeenCalled();
});

test("a transport that fails to start is an error without details, and its log line has them", async () => {
  const failing = fakePlugin({
    opened: {
      start: () => {
        throw new Error("the key is hunter2");
      },
    },
  });
  await using host = await startRunner({ plugins: [failing] });
  const { status, body } = await host.post("/start");
  expect([status, body]).toEqual([500, { code: "INTERNAL", detail: expect.not.stringContaining("hunter2") }]);
  const line = host.log.lines.find(({ level }) => level === "error");
  expect(line?.fields).toMatchObject({ route: "/start", err: expect.objectContaining({ stack: expect.any(String) }) });
});

test("callers who bring no body get the runner's", async () => {
  const bodies: unknown[] = [];
  await using host = await startRunner({ body: { mood: "fine" }, bot: ({ body }) => void bodies.push(body) });
  await host.call();
  await host.call({ mood: "bad" });
  await host.call(null);
  await expect.poll(() => bodies).toEqual([{ mood: "fine" }, { mood: "bad" }, null]);
});
