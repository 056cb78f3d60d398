import type { Runner } from "@pipecat-ts/runner-host";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { send } from "../../runner-testing/src/index.ts";
import { signAcme } from "./test/acme.ts";
import { createFixture, type Fixture } from "./test/fixture.ts";
import { bodyInQuery, numbersInQuery } from "./webhook.ts";

const publicUrl = new URL("https://bots.example.com/voice");
const numbers = { from: "+15550100", to: "+15550199" };
let fixture: Fixture;
beforeEach(async () => {
  fixture = await createFixture();
});
afterEach(async () => await fixture.close());

function post(runner: Runner, path: string, fields: Readonly<Record<string, string>> = {}, headers = {}) {
  return fetch(new URL(path, runner.url), {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { connection: "close", ...headers },
  });
}

describe("the webhook", () => {
  test("answers GET and POST with the socket URL of a new session", async () => {
    const runner = await fixture.open();
    for (const sending of [
      post(runner, "/acme", { call: "A1", ...numbers }),
      fetch(new URL("/acme?call=A2", runner.url)),
      post(runner, "/acme"),
    ]) {
      const answer = await sending;
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toContain("application/xml");
      const text = await answer.text();
      const [, id = ""] = new RegExp(`<Go to="ws://${runner.url.host}/ws/([^"]+)"/>`).exec(text) ?? [];
      expect(runner.sessions.find(id)?.state).toBe("pending");
    }
  });

  test("passes its parameters on to the bot", async () => {
    const runner = await fixture.open();
    const body = Buffer.from(JSON.stringify({ order: 7 })).toString("base64url");
    await fixture.phone.call({ at: runner.url, ...numbers, callId: "A1", path: `/acme?body=${body}` });
    await expect.poll(() => fixture.calls.length).toBe(1);
    const { args } = fixture.calls[0] ?? {};
    expect(args).toMatchObject({ transport: "acme", body: { order: 7 }, callData: { callId: "A1", ...numbers } });
    expect([...runner.sessions].map(({ id }) => id)).toEqual([args?.sessionId]);
  });

  test("with --ws-auth token puts a token into the socket URL", async () => {
    const publicUrl = new URL("https://bots.example.com");
    const runner = await fixture.open({ webSocketAuth: "token", publicUrl });
    const signature = signAcme("https://bots.example.com/acme", "call=A1", "a key");
    const text = await (await post(runner, "/acme", { call: "A1" }, { "x-acme": signature })).text();
    const [session] = runner.sessions;
    expect(/\/ws\/([^"]+)"/.exec(text)?.[1]).toMatch(new RegExp(`^${session?.id}\\.`));
    await fixture.phone.call({ at: runner.url, publicUrl, ...numbers, callId: "A2" });
    await expect.poll(() => fixture.calls).toMatchObject([{ args: { callData: { callId: "A2" } } }]);
  });

  test("rejects more than 64 KiB, and creates no session", async () => {
    const runner = await fixture.open();
    const answer = await post(runner, "/acme", { call: "A1", other: "x".repeat(70_000) });
    expect([answer.status, await answer.json()]).toEqual([413, expect.objectContaining({ code: "BODY_TOO_LARGE" })]);
    expect(runner.sessions.counts.pending).toBe(0);
    expect((await post(runner, "/acme", { call: "A1", other: "x".repeat(60_000) })).status).toBe(200);
  });

  test("does not use values of more than 512 characters", async () => {
    const runner = await fixture.open();
    const long = { from: "1".repeat(513), to: "1".repeat(512) };
    await fixture.phone.call({ at: runner.url, ...long, callId: "A2" });
    await expect.poll(() => fixture.calls.length).toBe(1);
    expect(fixture.calls[0]?.args.callData).toMatchObject({ callId: "A2", to: long.to });
    expect(fixture.calls[0]?.args.callData).not.toHaveProperty("from");
  });

  test("answers a repeated request with the same session", async () => {
    const runner = await fixture.open();
    const answers = [await post(runner, "/acme", { call: "A1" }), await post(runner, "/acme", { call: "A1" })];
    const [first, second] = await Promise.all(answers.map((answer) => answer.text()));
    expect(second).toBe(first);
    expect(runner.sessions.counts.pending).toBe(1);
  });

  test("ends the pending session at the notice that its call has ended, and creates none", async () => {
    const runner = await fixture.open();
    await post(runner, "/acme", { call: "A1" });
    const answer = await post(runner, "/acme", { call: "A1", state: "over" });
    expect(await answer.text()).toContain("<Bye/>");
    await expect.poll(() => runner.sessions.counts.pending).toBe(0);
    expect((await post(runner, "/acme", { call: "A2", state: "over" })).status).toBe(200);
    expect(runner.sessions.counts.pending).toBe(0);
  });

  test("answers with the busy tone at capacity and while draining", async () => {
    const runner = await fixture.open({ maxSessions: 1 });
    const phone = await fixture.phone.call({ at: runner.url });
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    expect(await (await post(runner, "/acme", { call: "A2" })).text()).toContain("<Busy/>");
    void runner.drain();
    expect(await (await post(runner, "/acme", { call: "A3" })).text()).toContain("<Busy/>");
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    const figures = await (await fetch(new URL("/metrics", runner.url), { headers: { connection: "close" } })).text();
    expect(figures).toContain('pipecat_rejections_total{code="AT_CAPACITY"} 1');
    expect(figures).toContain('pipecat_rejections_total{code="DRAINING"} 1');
    await phone.hangUp();
  });
});

describe("the path /", () => {
  test("belongs to the only carrier, except for GET without a call", async () => {
    const runner = await fixture.open({ transport: "acme" });
    expect(await (await post(runner, "/", { call: "A1" })).text()).toContain("<Go");
    expect(await (await post(runner, "/")).text()).toContain("<Go");
    expect(await (await fetch(new URL("/?call=A2", runner.url))).text()).toContain("<Go");
    expect((await fetch(runner.url)).status).toBe(404);
    expect((await fetch(new URL("/?utm=1", runner.url))).status).toBe(404);
    expect((await post(runner, "/bell")).status).toBe(404);
  });

  test("is the chosen carrier's and the web client's", async () => {
    const runner = await fixture.open({ transport: "acme", clientRoot: import.meta.dirname });
    const { status, headers } = await send(runner.url);
    expect([status, headers.location]).toEqual([307, "client/"]);
    expect(await (await fetch(new URL("/?call=A1", runner.url))).text()).toContain("<Go");
  });

  test("is not a webhook when several carriers are served", async () => {
    const runner = await fixture.open();
    expect((await post(runner, "/", { call: "A1" })).status).toBe(404);
    expect((await post(runner, "/bell", { call: "A1" })).status).toBe(200);
  });
});

describe("the public URL", () => {
  test("is in the socket URL, with its path", async () => {
    const runner = await fixture.open({ publicUrl });
    const url = "https://bots.example.com/voice/acme";
    const answer = await post(runner, "/acme", { call: "A1" }, { "x-acme": signAcme(url, "call=A1", "a key") });
    expect(await answer.text()).toMatch(/<Go to="wss:\/\/bots\.example\.com\/voice\/ws\/[^"]+"/);
  });

  test("is required when a request has another host name, which is logged once", async () => {
    // With an API key, the host accepts every host name. Without one, it rejects the request itself, with the same fix.
    const runner = await fixture.open({ apiKey: "a-key-of-sixteen-letters", acme: { verifySignatures: false } });
    for (const host of ["my.ngrok.io", "other.example"]) {
      const { status, json } = await send(new URL("/acme?call=A1", runner.url), { headers: { host } });
      expect(status).toBe(421);
      expect(json).toEqual({ code: "PUBLIC_URL_MISSING", detail: expect.stringContaining(`--proxy ${host}`) });
    }
    expect(runner.sessions.counts.pending).toBe(0);
    const logged = fixture.logger.lines.filter(
      ({ level, message }) => level === "error" || message === "call not answered",
    );
    expect(logged).toMatchObject([{ level: "warn", fields: { fix: expect.stringContaining("--proxy my.ngrok.io") } }]);
  });
});

test("a configured public URL may be unencrypted", async () => {
  const runner = await fixture.open({ publicUrl: "http://192.0.2.1:7860", acme: { verifySignatures: false } });
  expect(await (await post(runner, "/acme", { call: "A1" })).text()).toContain("ws://192.0.2.1:7860/ws/");
});

describe("signatures", () => {
  const url = "https://bots.example.com/voice/acme";

  test("are checked for at most 256 parameters in the form and in the query, repeated ones included", async () => {
    const runner = await fixture.open({ publicUrl });
    const send = (query: string, body: string) => {
      const signature = signAcme(`${url}${query}`, body, "a key");
      const headers = { "content-type": "application/x-www-form-urlencoded", "x-acme": signature };
      return fetch(new URL(`/acme${query}`, runner.url), {
        method: "POST",
        body,
        headers: { ...headers, connection: "close" },
      });
    };
    for (const [query, body] of [
      ["", `call=A1${"&a=1".repeat(256)}`],
      [`?a=1${"&a=1".repeat(256)}`, "call=A1"],
    ] as const) {
      const answer = await send(query, body);
      expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ code: "REQUEST_INVALID" })]);
    }
    expect(runner.sessions.counts.pending).toBe(0);
    expect((await send(`?a=1${"&a=1".repeat(255)}`, `call=A1${"&a=1".repeat(255)}`)).status).toBe(200);
  });

  test("are verified before anything else", async () => {
    const runner = await fixture.open({ publicUrl });
    const bad = [
      {},
      { "x-acme": "" },
      { "x-acme": signAcme(url, "call=A1", "another key") },
      { "x-acme": signAcme(url.replace("https", "http"), "call=A1", "a key") },
      { "x-acme": signAcme(url, "call=A2", "a key") },
      { "x-acme": signAcme(`${url}/`, "call=A1", "a key") },
    ];
    for (const headers of bad) {
      const answer = await post(runner, "/acme", { call: "A1" }, headers);
      expect(answer.status).toBe(403);
      expect(await answer.json()).toMatchObject({ code: "SIGNATURE_INVALID" });
    }
    const forwarded = { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" };
    const forged = { ...forwarded, "x-acme": signAcme("https://evil.example/acme", "call=A1", "a key") };
    expect((await post(runner, "/acme", { call: "A1" }, forged)).status).toBe(403);
    expect(runner.sessions.counts.pending).toBe(0);
  });

  test("are not required with --no-verify-signatures, without the secret, or without a public URL", async () => {
    const accepting = [
      await fixture.open({ publicUrl, acme: { verifySignatures: false } }),
      await fixture.open({ publicUrl, acme: { key: undefined } }),
      await fixture.open(),
    ];
    for (const runner of accepting) expect((await post(runner, "/acme", { call: "A1" })).status).toBe(200);
  });

  describe.each([{ apiKey: "a-key-of-sixteen-letters" }, { webSocketAuth: "token" }] as const)(
    "that cannot be verified, on a runner that requires authentication: %j",
    (lock) => {
      test.each([
        ["the secret", { publicUrl, acme: { key: undefined } }, "Set ACME_KEY."],
        ["the public URL", { trustProxy: true }, "Start with --proxy <public hostname>."],
      ])("are rejected without %s, with the fix", async (_, options, fix) => {
        const runner = await fixture.open({ ...lock, ...options });
        const detail = expect.stringMatching(`${fix.replace(".", "\\.")} .*--no-verify-signatures`);
        for (const sending of [post(runner, "/acme", { call: "A1" }), fetch(new URL("/acme?call=A1", runner.url))]) {
          const answer = await sending;
          expect(answer.status).toBe(403);
          expect(await answer.json()).toEqual({ code: "SIGNATURE_INVALID", detail });
        }
        expect(runner.sessions.counts.pending).toBe(0);
        expect(runner.transports[0]?.availability).toMatchObject({
          state: "limited",
          reason: expect.stringContaining("Calls are rejected: requests from Acme cannot be verified."),
          fix: expect.stringContaining(fix),
        });
      });

      test("are accepted with --no-verify-signatures", async () => {
        const runner = await fixture.open({ ...lock, publicUrl, acme: { verifySignatures: false } });
        expect((await post(runner, "/acme", { call: "A1" })).status).toBe(200);
        expect(runner.unauthenticatedRoutes).toContain("POST /acme");
        expect(runner.unauthenticatedRoutes).not.toContain("POST /bell");
      });
    },
  );

  test("decide whether the webhook is listed as unauthenticated", async () => {
    const runner = await fixture.open({ publicUrl });
    expect(runner.unauthenticatedRoutes).toContain("POST /bell");
    expect(runner.unauthenticatedRoutes).not.toContain("POST /acme");
  });
});

describe("the banner", () => {
  test("shows the URLs to configure, and what is missing", async () => {
    const report = async (options: Parameters<Fixture["open"]>[0]) => {
      const { transports } = await fixture.open(options);
      return transports.find(({ name }) => name === "acme");
    };
    expect(await report({ publicUrl })).toMatchObject({
      availability: { state: "ready" },
      banner: ["Acme calls https://bots.example.com/voice/acme or wss://bots.example.com/voice/ws"],
    });
    expect(await report({ publicUrl, transport: "acme" })).toMatchObject({
      banner: ["Acme calls https://bots.example.com/voice/ or wss://bots.example.com/voice/ws"],
    });
    expect(await report({})).toMatchObject({
      availability: {
        state: "limited",
        reason: "Acme cannot reach this server.",
        fix: expect.stringContaining("--public-url"),
      },
      banner: [],
    });
    expect(await report({ publicUrl, acme: { key: undefined } })).toMatchObject({
      availability: {
        state: "limited",
        reason: expect.stringContaining("Anyone can pretend to be Acme"),
        fix: "Set ACME_KEY.",
      },
    });
    expect(await report({ publicUrl, acme: { verifySignatures: false } })).toMatchObject({
      availability: { state: "limited", fix: "Remove --no-verify-signatures." },
    });
    // A trusted proxy lets calls in, but does not tell which URL the carrier signed.
    expect(await report({ trustProxy: true })).toMatchObject({
      availability: {
        state: "limited",
        reason: "Anyone can pretend to be Acme, so the runner does not hang up or transfer calls.",
        fix: "Start with --proxy <public hostname>.",
      },
    });
  });
});

describe("the query", () => {
  const body = { name: "Grüße ~~?>", list: [1, null] };
  const json = Buffer.from(JSON.stringify(body));

  test("may have a body: JSON in base64 or base64url, with or without an escaped plus", () => {
    expect(bodyInQuery(json.toString("base64url"))).toEqual(body);
    const { searchParams } = new URL(`ws://bot.example/ws?body=${json.toString("base64")}`);
    expect(json.toString("base64")).toMatch(/[+/]/);
    expect(bodyInQuery(searchParams.get("body"))).toEqual(body);
  });

  test("has no body in any other form", () => {
    for (const text of [undefined, null, "", "%%%", Buffer.from("no json").toString("base64"), "A".repeat(20_000)]) {
      expect(bodyInQuery(text)).toBe(undefined);
    }
  });

  test("has no body that is too complex for a bot to pass on", () => {
    const deep = Buffer.from(`${"[".repeat(6_000)}${"]".repeat(6_000)}`).toString("base64url");
    expect(deep.length).toBeLessThanOrEqual(16_384);
    expect(bodyInQuery(deep)).toBe(undefined);
  });

  test("may have phone numbers, with or without an escaped plus", () => {
    const read = (query: string) => numbersInQuery(new URLSearchParams(query));
    expect(read("from_number=%2B15550100&to_number=+15550199")).toEqual({ from: "+15550100", to: "+15550199" });
    expect(read("from=15550100&body=e30")).toEqual({ from: "15550100" });
    expect(read("from=")).toEqual({});
  });
});
