import type { Runner } from "@pipecat-ts/runner-host";
import { describe, expect, test } from "vitest";
import { signAcme } from "./test/acme.ts";
import { publicUrl, useOutboundCalls } from "./test/outbound-calls.ts";

const outbound = useOutboundCalls();
const { open, place, report, describeSession, pickUp, cancels } = outbound;

describe("an attacker without the carrier's secret", () => {
  const changed = async (runner: Runner, sessionId: string) => {
    expect(runner.sessions.counts).toEqual({ pending: 1, active: 0 });
    expect(await describeSession(runner, sessionId)).toMatchObject({ state: "pending" });
    expect(cancels()).toEqual([]);
  };

  test("cannot report a status or request the document: unsigned and forged callbacks are rejected", async () => {
    const runner = await open();
    const { sessionId, status, answer } = await place(runner);
    for (const url of [status, answer]) {
      for (const fields of [{ call: "A1", state: "engaged" }, { call: "A1" }]) {
        expect(await report(runner, url, fields, "another key")).toMatchObject({ status: 403 });
        const unsigned = new URL(`${url.pathname}?${new URLSearchParams(fields)}`, runner.url);
        expect((await fetch(unsigned, { headers: { connection: "close" } })).status).toBe(403);
      }
    }
    await changed(runner, sessionId);
  });

  test("cannot replay a signature with other fields or for another call", async () => {
    const runner = await open();
    const first = await place(runner);
    const body = new URLSearchParams({ call: "A1", state: "ringing" });
    const signature = signAcme(first.status.href, body.toString(), "a key");
    const replay = async (url: URL, fields: string) => {
      const response = await fetch(new URL(url.pathname, runner.url), {
        method: "POST",
        headers: {
          connection: "close",
          "x-acme": signature,
          "content-type": "application/x-www-form-urlencoded",
        },
        body: fields,
      });
      return response.status;
    };
    expect(await replay(first.status, body.toString())).toBe(200);
    expect(await replay(first.status, "call=A1&state=engaged")).toBe(403);
    await changed(runner, first.sessionId);
    const second = await place(runner);
    expect(await replay(second.status, body.toString())).toBe(403);
  });

  test("cannot use a signed callback without the secret of its URL, or for another call", async () => {
    const runner = await open();
    const { sessionId, status, answer } = await place(runner);
    const fields = { call: "A1", state: "engaged" };
    const urls = (url: URL) => [
      new URL(url.href.replace(/\.[\w-]+$/, "")),
      new URL(url.href.replace(/[\w-]{22}$/, "x".repeat(22))),
      new URL(url.href.replace(sessionId, "0".repeat(36))),
    ];
    for (const url of urls(status)) expect(await report(runner, url, fields)).toMatchObject({ status: 200 });
    for (const url of urls(answer)) {
      expect(await report(runner, url, { call: "A1" })).toEqual({ status: 200, text: expect.stringContaining("<Bye") });
    }
    expect(await report(runner, status, { ...fields, call: "A2" })).toMatchObject({ status: 200 });
    expect(await report(runner, status, { state: "engaged" })).toMatchObject({ status: 200 });
    expect(await report(runner, answer, { call: "A2" })).toMatchObject({ text: expect.stringContaining("<Bye") });
    await changed(runner, sessionId);
  });

  test("with --no-verify-signatures, still needs the secret of the URL", async () => {
    const runner = await open({ acme: { verifySignatures: false } });
    const { sessionId, status } = await place(runner);
    const guessed = new URL(status.href.replace(/[\w-]{22}$/, "x".repeat(22)));
    await report(runner, guessed, { call: "A1", state: "engaged" }, "another key");
    await changed(runner, sessionId);
    await report(runner, status, { call: "A1", state: "engaged" }, "another key");
    await expect.poll(() => runner.sessions.counts.pending).toBe(0);
  });

  test("with --no-verify-signatures, calls that the runner placed are hung up", async () => {
    const runner = await open({ acme: { verifySignatures: false } });
    const phone = await pickUp(runner, await place(runner));
    await expect.poll(() => outbound.fixture.calls.length).toBe(1);
    outbound.fixture.calls[0]?.finish();
    await phone.closed;
    expect(cancels()).toEqual(["/calls/A1"]);
  });

  test("cannot open the socket of a call that rings, with the session's id from POST /start", async () => {
    const runner = await open();
    const { sessionId } = await place(runner);
    const socketUrl = `ws://${runner.url.host}/ws/${sessionId}`;
    const signed = `${publicUrl.href.replace("https", "wss")}ws/${sessionId}`;
    const opened = await outbound.fixture.phone.call({ at: runner.url, publicUrl, socketUrl: signed, callId: "A2" });
    expect((await opened.closed).code).toBe(1008);
    const page = new WebSocket(socketUrl);
    const closed = await new Promise<boolean>((resolve) => {
      page.addEventListener("open", () => resolve(false));
      page.addEventListener("error", () => resolve(true));
    });
    expect(closed, "without a signature").toBe(true);
    expect(outbound.fixture.calls).toEqual([]);
    await changed(runner, sessionId);
  });
});
