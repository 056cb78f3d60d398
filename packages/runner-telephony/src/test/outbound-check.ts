import type { SessionArguments, TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRecordingLogger, type RecordingLogger } from "../../../runner-testing/src/index.ts";
import { type ApiReply, type FakeApi, type FakeCarrier, openFakeApi, type PhoneRequest } from "../caller/index.ts";
import { connectPhone } from "./fixture.ts";

/** For tests: a carrier's outbound calls, as it documents them. */
export interface OutboundCheck {
  readonly plugin: TransportPlugin;
  /** Options with all credentials. */
  options(apiUrl: string): Readonly<Record<string, unknown>>;
  /** Connects the answered call. */
  readonly carrier: FakeCarrier;
  readonly callId: string;
  /** The answer of its API to the request that places a call. */
  readonly placed: ApiReply;
  /** What this request must be. `answer`, `status` and `socket` stand for the runner's URLs. */
  place(urls: { readonly answer: string; readonly status: string; readonly socket: string }): object;
  /** The same with machine detection; absent for a carrier that cannot detect machines. */
  detection?(status: string): object;
  /** The request that cancels a call that rings; absent for a carrier that cannot. */
  readonly cancel?: object;
  /** A callback with these fields, signed with the carrier's secret unless it is forged. */
  report(url: URL, fields: Readonly<Record<string, string>>, isForged: boolean): PhoneRequest;
  /** The fields of callbacks by the reason that they end the session with. `undefined`: the call goes on. */
  readonly reports: readonly (readonly [reason: string | undefined, fields: Readonly<Record<string, string>>])[];
  /** The id of another call in a callback. */
  readonly otherCall: Readonly<Record<string, string>>;
  /** Whether the carrier does not sign callbacks: those without the secret of the URL are ignored then. */
  readonly isUnsigned?: boolean;
}

const publicUrl = new URL("https://bots.example.com");
const apiKey = "a-key-of-sixteen-letters";
const numbers = { to: "+15550100", from: "+15550199" };

/** For tests: describes the outbound calls of a carrier. */
export function describeOutboundCalls(check: OutboundCheck): void {
  const { plugin, carrier, callId, reports, isUnsigned = false } = check;
  let api: FakeApi;
  let runner: Runner;
  let logger: RecordingLogger;
  let bots: { readonly args: SessionArguments; finish(): void }[];

  beforeEach(async () => {
    bots = [];
    logger = createRecordingLogger();
    api = await openFakeApi(({ method }) => (method === "POST" && bots.length === 0 ? check.placed : { status: 200 }));
    runner = createRunner({
      async bot(args) {
        const transport = await connectPhone(args);
        const finished = Promise.withResolvers<void>();
        bots.push({ args, finish: finished.resolve });
        await Promise.race([finished.promise, transport.closed]);
      },
      plugins: [plugin],
      pluginOptions: { [plugin.name]: { ...check.options(api.url), allowDial: ["+1555"] } },
      ...{ host: "127.0.0.1", port: 0, env: {}, logger, publicUrl, apiKey },
    });
    await runner.listen();
  });
  afterEach(async () => {
    await runner.close();
    await api.close();
  });

  const authorized = { authorization: `Bearer ${apiKey}`, connection: "close" };

  async function start(dial: object = {}) {
    const response = await fetch(new URL("/start", runner.url), {
      method: "POST",
      headers: { ...authorized, "content-type": "application/json" },
      body: JSON.stringify({ transport: plugin.name, dial: { ...numbers, ...dial }, body: { order: 7 } }),
    });
    const reply = (await response.json()) as Readonly<Record<string, string>>;
    if (response.status !== 200) return { status: response.status, code: reply.code };
    const { sessionId = "" } = reply;
    const [, secret = ""] =
      new RegExp(`${sessionId}\\.([\\w-]{22})`).exec(decodeURIComponent(api.requests[0]?.body ?? "")) ?? [];
    const url = (kind: string) => `${publicUrl.href}${plugin.name}/${kind}/${sessionId}.${secret}`;
    const socket = `wss://${publicUrl.host}/ws/${sessionId}`;
    return { status: 200, sessionId, urls: { answer: url("answer"), status: url("status"), socket } };
  }

  async function place(dial?: object) {
    const { sessionId, urls } = await start(dial);
    if (sessionId === undefined || !urls) throw new Error("The call was not placed.");
    return { sessionId, urls };
  }

  async function report(href: string, fields: Readonly<Record<string, string>>, isForged = false): Promise<number> {
    const { method, url, headers = {}, body = null } = check.report(new URL(href), fields, isForged);
    const at = new URL(`${url.pathname}${url.search}`, runner.url);
    return (await fetch(at, { method, headers: { ...headers, connection: "close" }, body })).status;
  }

  async function describeSession(id: string) {
    const response = await fetch(new URL(`/sessions/${id}`, runner.url), { headers: authorized });
    return (await response.json()) as Readonly<Record<string, unknown>>;
  }

  const apiCalls = () => api.requests.map(({ method, path, headers, body }) => ({ method, path, headers, body }));

  test("a call is placed with the runner's URLs, and its bot starts when it is answered", async () => {
    const { sessionId, urls } = await place();
    expect(apiCalls()).toMatchObject([check.place(urls)]);
    expect(runner.sessions.counts).toEqual({ pending: 1, active: 0 });
    const phone = await carrier.call({
      ...{ at: runner.url, publicUrl, callId, from: numbers.from, to: numbers.to },
      ...(check.isUnsigned ? { socketUrl: urls.socket } : { path: new URL(urls.answer).pathname }),
    });
    await expect.poll(() => bots.length).toBe(1);
    expect(bots[0]?.args).toMatchObject({ sessionId, body: { order: 7 }, callData: { callId, ...numbers } });
    expect(bots[0]?.args.callData?.direction).toBe("outbound");
    bots[0]?.finish();
    await phone.closed;
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(JSON.stringify(logger.lines)).not.toMatch(/5550100|5550199/);
  });

  test.each(reports)("a session ends with %s after %j, unless the report is forged", async (reason, fields) => {
    const { sessionId, urls } = await place(reason === "machine" ? { machineDetection: true } : {});
    if (isUnsigned) {
      for (const forged of [urls.status.replace(/[\w-]{22}$/, "x".repeat(22)), urls.status.replace(/\.[\w-]+$/, "")]) {
        expect(await report(forged, fields, true)).toBe(200);
      }
    } else expect(await report(urls.status, fields, true)).toBe(403);
    expect(await describeSession(sessionId)).toMatchObject({ state: "pending" });
    expect(await report(urls.status, fields)).toBe(200);
    const state = reason === undefined ? { state: "pending" } : { state: "ended", reason };
    expect(await describeSession(sessionId)).toMatchObject(state);
  });

  test("reports about another call are ignored, also when the carrier signed them", async () => {
    const { sessionId, urls } = await place();
    const [, ringing = {}] = reports.find(([reason]) => reason === undefined) ?? [];
    const [, busy = {}] = reports.find(([reason]) => reason === "busy") ?? [];
    expect(await report(urls.status, ringing)).toBe(200);
    expect(await report(urls.status, { ...busy, ...check.otherCall })).toBe(200);
    expect(await describeSession(sessionId)).toMatchObject({ state: "pending" });
    expect(await report(urls.status, busy)).toBe(200);
    expect(await describeSession(sessionId)).toMatchObject({ state: "ended", reason: "busy" });
  });

  test("the end of the session cancels a call that rings", async () => {
    const { urls } = await place();
    // The carrier may tell the id of the call with the first event only.
    const [, ringing] = reports.find(([reason]) => reason === undefined) ?? [];
    if (ringing) await report(urls.status, ringing);
    await runner.sessions.endAll("ended-by-request");
    expect(apiCalls().slice(1)).toMatchObject(check.cancel ? [check.cancel] : []);
    const warnings = logger.lines.filter(({ level }) => level === "warn");
    expect(warnings.length, "says so if it cannot").toBe(check.cancel ? 0 : 1);
  });

  describe("machine detection", () => {
    test("is requested, or rejected", async () => {
      if (check.detection) {
        const { urls } = await place({ machineDetection: true });
        expect(apiCalls()).toMatchObject([check.detection(urls.status)]);
      } else {
        expect(await start({ machineDetection: true })).toEqual({ status: 501, code: "DIAL_UNSUPPORTED" });
        expect(apiCalls()).toEqual([]);
      }
    });
  });
}
