import type { Runner } from "@pipecat-ts/runner-host";
import { afterEach, beforeEach, expect } from "vitest";
import type { PhoneCall } from "../caller/index.ts";
import { signAcme } from "./acme.ts";
import { createFixture, type Fixture, type FixtureOptions } from "./fixture.ts";

export const publicUrl: URL = new URL("https://bots.example.com");
export const apiKey = "a-key-of-sixteen-letters";
export const numbers = { to: "+15550100", from: "+15550199" };

/** What Acme was asked to do about one call. */
interface Placed {
  readonly sessionId: string;
  readonly answer: URL;
  readonly status: URL;
  readonly request: Readonly<Record<string, unknown>>;
}

type Placing = () => Promise<{ readonly status: number; readonly body?: string }>;

type Fields = Readonly<Record<string, unknown>>;

/** A carrier that places calls, and what it and an app request. */
export interface OutboundCallsFixture {
  readonly fixture: Fixture;
  /** How Acme answers the requests that place calls. */
  placing: Placing;
  open(options?: FixtureOptions): Promise<Runner>;
  start(runner: Runner, body: unknown, key?: string): Promise<{ readonly status: number; readonly body: Fields }>;
  place(runner: Runner, fields?: object, body?: unknown): Promise<Placed>;
  /** A request of Acme's, signed unless `key` is wrong. */
  report(
    runner: Runner,
    url: URL,
    fields: Readonly<Record<string, string>>,
    key?: string,
  ): Promise<{ readonly status: number; readonly text: string }>;
  describeSession(runner: Runner, id: string, key?: string): Promise<Fields>;
  /** The carrier requests the document of an answered call, and opens its socket. */
  pickUp(runner: Runner, placed: Placed, callId?: string): Promise<PhoneCall>;
  /** The reasons in the log. */
  endings(): unknown[];
  /** The paths of the calls that were canceled. */
  cancels(): string[];
}

/** Opens and closes the fixture around each test of a file. */
export function useOutboundCalls(): OutboundCallsFixture {
  let fixture: Fixture;
  let placing: Placing;
  let calls: number;
  beforeEach(async () => {
    calls = 0;
    placing = async () => ({ status: 201, body: JSON.stringify({ call: `A${++calls}` }) });
    fixture = await createFixture(({ method }) => (method === "POST" ? placing() : { status: 200 }));
  });
  afterEach(async () => await fixture.close());

  function open(options: FixtureOptions = {}): Promise<Runner> {
    const { acme, ...more } = options;
    return fixture.open({ publicUrl, apiKey, acme: { allowDial: ["+1555"], ...acme }, ...more });
  }

  async function start(runner: Runner, body: unknown, key = apiKey) {
    const response = await fetch(new URL("/start", runner.url), {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}`, connection: "close" },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> };
  }

  async function place(runner: Runner, fields: object = {}, body?: unknown): Promise<Placed> {
    const reply = await start(runner, { transport: "acme", dial: { ...numbers, ...fields }, body });
    expect(reply).toEqual({ status: 200, body: { sessionId: expect.any(String) } });
    const request = JSON.parse(fixture.api.requests.findLast(({ method }) => method === "POST")?.body ?? "");
    const [answer, status] = [new URL(request.answer), new URL(request.status)];
    return { sessionId: String(reply.body.sessionId), answer, status, request };
  }

  async function report(runner: Runner, url: URL, fields: Readonly<Record<string, string>>, key = "a key") {
    const body = new URLSearchParams(fields);
    const response = await fetch(new URL(url.pathname, runner.url), {
      method: "POST",
      headers: { connection: "close", "x-acme": signAcme(url.href, body.toString(), key) },
      body,
    });
    return { status: response.status, text: await response.text() };
  }

  async function describeSession(runner: Runner, id: string, key = apiKey) {
    const headers = { authorization: `Bearer ${key}`, connection: "close" };
    const response = await fetch(new URL(`/sessions/${id}`, runner.url), { headers });
    return { status: response.status, ...((await response.json()) as Readonly<Record<string, unknown>>) };
  }

  function pickUp(runner: Runner, { answer }: Placed, callId = "A1"): Promise<PhoneCall> {
    return fixture.phone.call({ at: runner.url, publicUrl, path: answer.pathname, callId });
  }

  const endings = () =>
    fixture.logger.lines.flatMap(({ message, fields }) => (message === "session ended" ? [fields.reason] : []));
  const cancels = () => fixture.api.requests.flatMap(({ method, path }) => (method === "DELETE" ? [path] : []));

  return {
    get fixture() {
      return fixture;
    },
    get placing(): Placing {
      return placing;
    },
    set placing(answer: Placing) {
      placing = answer;
    },
    open,
    start,
    place,
    report,
    describeSession,
    pickUp,
    endings,
    cancels,
  };
}
