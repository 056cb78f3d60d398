import { createTransport } from "@pipecat-ts/runner-core";
import { openFakeApi } from "@pipecat-ts/runner-telephony/caller";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { expect, onTestFinished, test } from "vitest";
import { startGateway } from "../../packages/runner-gateway/src/test/fixture.ts";
import { sign } from "../../packages/runner-telephony-twilio/src/signature.ts";

const publicUrl = new URL("https://bots.example.com");
const apiKey = "a-key-of-sixteen-letters";
const account = { accountSid: `AC${"0".repeat(32)}`, authToken: "a token" };
const callIdOf = (number: number) => `CA${String(number).padStart(32, "0")}`;

/** A gateway whose workers have one call each, and a Twilio that accepts all calls. */
async function startServer(dialLimit: number) {
  let calls = 0;
  const api = await openFakeApi(({ path }) => {
    return path.endsWith("/Calls.json")
      ? { status: 201, body: JSON.stringify({ sid: callIdOf(++calls) }) }
      : { status: 200 };
  });
  onTestFinished(api.close);
  const host = await startGateway(
    {},
    {
      async bot(args) {
        await (await createTransport(args, { twilio: () => ({}) })).closed;
      },
      plugins: [twilio],
      pluginOptions: { twilio: { ...account, apiUrl: api.url, allowDial: ["+1555"], dialLimit } },
      ...{ publicUrl, apiKey },
    },
  );
  const headers = { authorization: `Bearer ${apiKey}`, connection: "close" };

  async function place() {
    const response = await host.fetch("/start", {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ transport: "twilio", dial: { to: "+15550100", from: "+15550199" } }),
    });
    const { sessionId = "", code } = (await response.json()) as Readonly<Record<string, string>>;
    const request = new URLSearchParams(api.requests.at(-1)?.body);
    const urls = { answer: request.get("Url") ?? "", status: request.get("StatusCallback") ?? "" };
    return { sessionId, code, callId: callIdOf(calls), ...urls };
  }

  async function report(url: string, callId: string, status: string): Promise<number> {
    const body = new URLSearchParams({ CallSid: callId, CallStatus: status });
    const signed = { connection: "close", "x-twilio-signature": sign(url, body, account.authToken) };
    return (await host.fetch(new URL(url).pathname, { method: "POST", headers: signed, body })).status;
  }

  async function describeSession(id: string) {
    const response = await host.fetch(`/sessions/${id}`, { headers });
    return (await response.json()) as Readonly<Record<string, unknown>>;
  }

  return { host, api, place, report, describeSession };
}

test("outbound calls in several workers share the limit, get their own reports, and their ends are known to the gateway", async () => {
  const { host, place, report, describeSession } = await startServer(2);
  await using _ = host;
  const [first, second] = [await place(), await place()];
  expect(host.workers.runners.filter(({ sessions }) => sessions.counts.pending === 1)).toHaveLength(2);
  expect((await place()).code).toBe("RATE_EXCEEDED");

  expect(await report(first.status, first.callId, "busy")).toBe(200);
  await expect.poll(() => describeSession(first.sessionId)).toMatchObject({ state: "ended", reason: "busy" });
  expect((await host.fetch(`/sessions/${first.sessionId}`)).status, "without the key").toBe(401);
  expect(await describeSession(second.sessionId)).toMatchObject({ state: "pending" });

  const at = host.gateway.url;
  const { callId, answer } = second;
  const phone = await createFakeTwilio(account).call({ at, publicUrl, callId, path: new URL(answer).pathname });
  await expect.poll(() => describeSession(second.sessionId)).toMatchObject({ state: "active" });
  await phone.hangUp();
  await expect.poll(() => describeSession(second.sessionId)).toMatchObject({ state: "ended", reason: "caller-left" });
});

test("when a worker crashes, another one cancels the call that rang", async () => {
  const { host, api, place, describeSession } = await startServer(10);
  await using _ = host;
  const { sessionId, callId } = await place();
  const owner = [...host.workers.running.values()].find(({ runner }) => runner?.sessions.find(sessionId));
  owner?.crash();
  await expect
    .poll(() => api.requests.at(-1))
    .toMatchObject({ path: expect.stringContaining(`/Calls/${callId}.json`), body: "Status=completed" });
  expect(await describeSession(sessionId)).toMatchObject({ state: "ended", reason: "crashed" });
});
