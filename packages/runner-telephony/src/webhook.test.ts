import type { Runner } from "@pipecat-ts/runner-host";
import { send } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { signAcme } from "./test/acme.ts";
import { createStage, type Stage } from "./test/stage.ts";

const publicUrl = new URL("https://bots.example.com/voice");
const numbers = { from: "+15550100", to: "+15550199" };
let stage: Stage;
beforeEach(async () => {
  stage = await createStage();
});
afterEach(async () => await stage.close());

function post(runner: Runner, path: string, fields: Readonly<Record<string, string>> = {}, headers = {}) {
  return fetch(new URL(path, runner.url), {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { connection: "close", ...headers },
  });
}

describe("the webhook", () => {
  test("answers GET and POST with the URL of the call's own session", async () => {
    const runner = await stage.open();
    for (const asked of [
      post(runner, "/acme", { call: "A1", ...numbers }),
      fetch(new URL("/acme?call=A2", runner.url)),
      post(runner, "/acme"),
    ]) {
      const answer = await asked;
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toContain("application/xml");
      const text = await answer.text();
      const [, id = ""] = new RegExp(`<Go to="ws://${runner.url.host}/ws/([^"]+)"/>`).exec(text) ?? [];
      expect(runner.sessions.find(id)?.state).toBe("pending");
    }
    expect(runner.sessions.find("A1")?.state).toBe("pending");
  });

  test("puts what it knows of the call into the session", async () => {
    const runner = await stage.open();
    const body = Buffer.from(JSON.stringify({ order: 7 })).toString("base64url");
    await stage.phone.call({ at: runner.url, ...numbers, callId: "A1", path: `/acme?body=${body}` });
    await expect.poll(() => stage.calls.length).toBe(1);
    const { args } = stage.calls[0] ?? {};
    expect(args).toMatchObject({ transport: "acme", body: { order: 7 }, callData: { callId: "A1", ...numbers } });
    expect(runner.sessions.find("A1")?.id).toBe(args?.sessionId);
  });

  test("gives the call a token where sockets are opened by token alone", async () => {
    const publicUrl = new URL("https://bots.example.com");
    const runner = await stage.open({ webSocketAuth: "token", publicUrl });
    const signature = signAcme("https://bots.example.com/acme", "call=A1", "a key");
    const text = await (await post(runner, "/acme", { call: "A1" }, { "x-acme": signature })).text();
    const id = runner.sessions.find("A1")?.id;
    expect(/\/ws\/([^"]+)"/.exec(text)?.[1]).toMatch(new RegExp(`^${id}\\.`));
    await stage.phone.call({ at: runner.url, publicUrl, ...numbers, callId: "A2" });
    await expect.poll(() => stage.calls).toMatchObject([{ args: { callData: { callId: "A2" } } }]);
  });

  test("of more than 64 KiB is refused, and nothing of it waits", async () => {
    const runner = await stage.open();
    const answer = await post(runner, "/acme", { call: "A1", other: "x".repeat(70_000) });
    expect([answer.status, await answer.json()]).toEqual([413, expect.objectContaining({ code: "BODY_TOO_LARGE" })]);
    expect(runner.sessions.counts.pending).toBe(0);
    expect((await post(runner, "/acme", { call: "A1", other: "x".repeat(60_000) })).status).toBe(200);
  });

  test("that comes twice for a call gets the same session", async () => {
    const runner = await stage.open();
    const answers = [await post(runner, "/acme", { call: "A1" }), await post(runner, "/acme", { call: "A1" })];
    const [first, second] = await Promise.all(answers.map((answer) => answer.text()));
    expect(second).toBe(first);
    expect(runner.sessions.counts.pending).toBe(1);
  });

  test("that says the call is over ends the session that waits, and starts none", async () => {
    const runner = await stage.open();
    await post(runner, "/acme", { call: "A1" });
    const answer = await post(runner, "/acme", { call: "A1", state: "over" });
    expect(await answer.text()).toContain("<Bye/>");
    await expect.poll(() => runner.sessions.counts.pending).toBe(0);
    expect((await post(runner, "/acme", { call: "A2", state: "over" })).status).toBe(200);
    expect(runner.sessions.counts.pending).toBe(0);
  });

  test("answers the busy tone when all places are taken and while the runner drains", async () => {
    const runner = await stage.open({ maxSessions: 1 });
    const phone = await stage.phone.call({ at: runner.url });
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    expect(await (await post(runner, "/acme", { call: "A2" })).text()).toContain("<Busy/>");
    void runner.drain();
    expect(await (await post(runner, "/acme", { call: "A3" })).text()).toContain("<Busy/>");
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    const figures = await (await fetch(new URL("/metrics", runner.url), { headers: { connection: "close" } })).text();
    expect(figures).toContain('pipecat_refusals_total{code="AT_CAPACITY"} 1');
    expect(figures).toContain('pipecat_refusals_total{code="DRAINING"} 1');
    await phone.hangUp();
  });
});

describe("the path /", () => {
  test("is the chosen carrier's, but for a browser's GET", async () => {
    const runner = await stage.open({ transport: "acme" });
    expect(await (await post(runner, "/", { call: "A1" })).text()).toContain("<Go");
    expect(await (await post(runner, "/")).text()).toContain("<Go");
    expect(await (await fetch(new URL("/?call=A2", runner.url))).text()).toContain("<Go");
    expect((await fetch(runner.url)).status).toBe(404);
    expect((await fetch(new URL("/?utm=1", runner.url))).status).toBe(404);
    expect((await post(runner, "/bell")).status).toBe(404);
  });

  test("is the chosen carrier's and the web client's", async () => {
    const runner = await stage.open({ transport: "acme", clientRoot: import.meta.dirname });
    const { status, headers } = await send(runner.url);
    expect([status, headers.location]).toEqual([307, "/client/"]);
    expect(await (await fetch(new URL("/?call=A1", runner.url))).text()).toContain("<Go");
  });

  test("is nobody's when several carriers are served", async () => {
    const runner = await stage.open();
    expect((await post(runner, "/", { call: "A1" })).status).toBe(404);
    expect((await post(runner, "/bell", { call: "A1" })).status).toBe(200);
  });
});

describe("the public URL", () => {
  test("is the one in the document, with its path", async () => {
    const runner = await stage.open({ publicUrl });
    const url = "https://bots.example.com/voice/acme";
    const answer = await post(runner, "/acme", { call: "A1" }, { "x-acme": signAcme(url, "call=A1", "a key") });
    expect(await answer.text()).toMatch(/<Go to="wss:\/\/bots\.example\.com\/voice\/ws\/[^"]+"/);
  });

  test("that is not known is asked for when a carrier calls by a tunnel, or a stranger by any name, and said once", async () => {
    // With a key the host answers to every name; without, it refuses the tunnel's itself and names the same remedy.
    const runner = await stage.open({ apiKey: "a-key-of-sixteen-letters", acme: { verifySignatures: false } });
    for (const host of ["my.ngrok.io", "stranger.example"]) {
      const { status, json } = await send(new URL("/acme?call=A1", runner.url), { headers: { host } });
      expect(status).toBe(421);
      expect(json).toEqual({ code: "PUBLIC_URL_MISSING", detail: expect.stringContaining(`--proxy ${host}`) });
    }
    expect(runner.sessions.counts.pending).toBe(0);
    const told = stage.logger.lines.filter(({ level, message }) => level === "error" || message.includes("wss URLs"));
    expect(told).toMatchObject([{ level: "warn", message: expect.stringContaining("--proxy my.ngrok.io") }]);
  });
});

test("an unencrypted public URL that somebody chose is theirs to choose", async () => {
  const runner = await stage.open({ publicUrl: "http://192.0.2.1:7860", acme: { verifySignatures: false } });
  expect(await (await post(runner, "/acme", { call: "A1" })).text()).toContain("ws://192.0.2.1:7860/ws/");
});

describe("signatures", () => {
  const url = "https://bots.example.com/voice/acme";

  test("are checked before anything else happens", async () => {
    const runner = await stage.open({ publicUrl });
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

  test("are not asked for with --no-verify-signatures, without the secret, or without a public URL", async () => {
    const open = [
      await stage.open({ publicUrl, acme: { verifySignatures: false } }),
      await stage.open({ publicUrl, acme: { key: undefined } }),
      await stage.open(),
    ];
    for (const runner of open) expect((await post(runner, "/acme", { call: "A1" })).status).toBe(200);
  });

  describe.each([{ apiKey: "a-key-of-sixteen-letters" }, { webSocketAuth: "token" }] as const)(
    "that nothing can verify, where callers must prove themselves: %j",
    (lock) => {
      test.each([
        ["the secret", { publicUrl, acme: { key: undefined } }, "Set ACME_KEY."],
        ["the public URL", { trustProxy: true }, "Start with --proxy <public hostname>."],
      ])("are refused without %s, which is said", async (_, options, fix) => {
        const runner = await stage.open({ ...lock, ...options });
        const detail = expect.stringMatching(`${fix.replace(".", "\\.")} .*--no-verify-signatures`);
        for (const asked of [post(runner, "/acme", { call: "A1" }), fetch(new URL("/acme?call=A1", runner.url))]) {
          const answer = await asked;
          expect(answer.status).toBe(403);
          expect(await answer.json()).toEqual({ code: "SIGNATURE_INVALID", detail });
        }
        expect(runner.sessions.counts.pending).toBe(0);
        expect(runner.transports[0]?.availability).toMatchObject({
          state: "limited",
          reason: expect.stringContaining("Calls are refused: nothing proves that they are Acme's."),
          fix: expect.stringContaining(fix),
        });
      });

      test("are taken by an operator who said so", async () => {
        const runner = await stage.open({ ...lock, publicUrl, acme: { verifySignatures: false } });
        expect((await post(runner, "/acme", { call: "A1" })).status).toBe(200);
        expect(runner.openToAll).toContain("POST /acme");
        expect(runner.openToAll).not.toContain("POST /bell");
      });
    },
  );

  test("that are verified leave nothing open to all, those that are not do", async () => {
    const runner = await stage.open({ publicUrl });
    expect(runner.openToAll).toContain("POST /bell");
    expect(runner.openToAll).not.toContain("POST /acme");
  });
});

describe("the banner", () => {
  test("says where the carrier is to call, and what is wanting", async () => {
    const report = async (options: Parameters<Stage["open"]>[0]) => {
      const { transports } = await stage.open(options);
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
        fix: expect.stringContaining("--proxy"),
      },
    });
    expect(await report({ publicUrl, acme: { key: undefined } })).toMatchObject({
      availability: {
        state: "limited",
        reason: expect.stringContaining("may pretend to be Acme"),
        fix: "Set ACME_KEY.",
      },
    });
    expect(await report({ publicUrl, acme: { verifySignatures: false } })).toMatchObject({
      availability: { state: "limited", fix: "Leave out --no-verify-signatures." },
    });
    // Behind a proxy calls come in, but what the carrier signed is not known.
    expect(await report({ trustProxy: true })).toMatchObject({
      availability: {
        state: "limited",
        reason: "Anybody may pretend to be Acme.",
        fix: "Start with --proxy <public hostname>.",
      },
    });
  });
});
