import type { AudioFrame } from "@pipecat-ts/audio";
import { RunnerError } from "../errors.ts";
import { parseJson } from "../json.ts";
import type { OptionTable } from "../options.ts";
import type { contractVersion } from "../plugin.ts";
import { type Answer, send } from "./http.ts";
import type { NetworkImpairment } from "./network.ts";
import type { Playout } from "./playout.ts";

const startTimeoutMs = 15_000;

/**
 * The default export of a transport package's `./caller` module, which plays the other side of the transport: an app, or a
 * vendor's server. `pipecat-runner call` finds it through `"pipecatRunner": {"caller": "./caller"}` in package.json.
 */
export interface CallerPlugin<Options = unknown> {
  readonly apiVersion: typeof contractVersion;
  /** The name of the transport. */
  readonly name: string;
  /** The transport's flags and environment variables, for callers that need its credentials. */
  readonly options?: OptionTable<Options>;
  /** Whether a call begins with a request to `/start`, as with apps. Phone carriers call without one. */
  readonly starts: boolean;
  /** Whether the caller's audio travels in packets, which `CallInvitation.network` impairs. Default false, as over TCP. */
  readonly sendsPackets?: boolean;
  /** Creates the source of calls for one runner. `CallerLine.close` releases what it opens. */
  open(options: Options): CallerLine | Promise<CallerLine>;
}

/** A source of calls. */
export interface CallerLine {
  /**
   * Connects a call, and resolves when the caller may speak. Rejects, with nothing left open, when the runner rejects the call:
   * with `callRejected(…)` where it answered.
   */
  dial(invitation: CallInvitation): Promise<Caller>;
  /** What differs from calls of the real vendor, as sentences for the developer. */
  readonly notes?: readonly string[];
  close?(): Promise<void>;
}

/** What a caller knows before the call. */
export interface CallInvitation {
  /** The runner's address. */
  readonly url: URL;
  /** The runner's public URL, which vendors request and sign. Default: `url`. */
  readonly publicUrl?: URL | undefined;
  /** The reply to the start request; missing for a caller without one. */
  readonly start?: { readonly sessionId: string; readonly reply: Readonly<Record<string, unknown>> };
  /** How the network treats the caller's audio. Only for callers with `sendsPackets`. */
  readonly network?: NetworkImpairment | undefined;
  /** Whether the caller keeps everything that it received, for tests. Default true. */
  readonly records?: boolean;
  /** The runner's API key, if it has one. Send it where the host requires it: without a start request, or on HTTP routes. */
  readonly key?: string | undefined;
  /** Aborts when nobody waits for the answer anymore. A `dial` that takes long should stop then. */
  readonly signal?: AbortSignal | undefined;
}

/** One call, from the caller's side. */
export interface Caller {
  /** Sample rate of the caller's audio, in Hz. */
  readonly sampleRate: number;
  /** When the call was answered, as `performance.now()`, if `dial` waited for something else afterwards. Default: when it resolved. */
  readonly answeredAtMs?: number;
  /** Sends 20 ms of audio now: mono, at `sampleRate`. Does nothing after the call. */
  sendAudio(frame: AudioFrame): void;
  /** What the caller hears: received audio is enqueued here, and cleared when the wire says so. */
  readonly playout: Playout;
  /** Sends an app message. Missing where there are none. */
  sendMessage?(message: unknown): void;
  /** The app messages that arrived, parsed, oldest first. Remove those that you have read in a long call. */
  readonly messages?: unknown[];
  /** Presses a key of the phone: one of `0-9 * #`. Missing where there are none. */
  press?(key: string): void;
  /** Messages that the real vendor would reject, as reasons. */
  readonly protocolErrors?: readonly string[];
  /** Leaves like a real client, and resolves when the caller has nothing left open. */
  hangUp(): Promise<void>;
  /** Disconnects without a message, as when the network is lost. */
  drop(): void;
  /** Resolves when the wire is closed, by either side. */
  readonly closed: Promise<CallEnd>;
}

/** How the wire was closed. */
export interface CallEnd {
  /** The close code of a WebSocket. */
  readonly code?: number;
  /** The reason on the wire, such as `bot-finished`; empty without one. */
  readonly reason: string;
  /** Whether the connection was lost, on wires without a close code. */
  readonly lost?: true;
}

/**
 * Sends the start request of a caller whose calls begin with one. Rejects with `callRejected(…)`, with RUNNER_UNREACHABLE when the
 * server is not a runner, or with an error of the network.
 */
export async function requestStart(
  transport: string,
  { url, key }: Pick<CallInvitation, "url" | "key">,
  body?: unknown,
): Promise<NonNullable<CallInvitation["start"]>> {
  const answer = await send(`${url.href.replace(/\/$/, "")}/start`, {
    method: "POST",
    body: { transport, ...(body !== undefined && { body }) },
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(startTimeoutMs),
  });
  if (answer.status === 200 && typeof answer.json === "object" && answer.json !== null) {
    return { sessionId: String(answer.headers["x-session-id"]), reply: { ...answer.json } };
  }
  const { code } = Object(answer.json) as { readonly code?: unknown };
  if (code !== undefined) throw callRejected(answer);
  throw notRunner(url, "POST /start", answer.status);
}

/** RUNNER_UNREACHABLE: a server answered a request, such as `POST /start`, as no runner does. */
export function notRunner(url: URL, request: string, status: number): RunnerError {
  return new RunnerError("RUNNER_UNREACHABLE", `${url} is not a runner: ${request} returned ${status}.`, {
    fix: "Name the address of a runner.",
  });
}

/** The error of a call that the runner rejected, with the code and the detail of its response. */
export function callRejected({ status, text }: Pick<Answer, "status" | "text">): RunnerError {
  const { code, detail } = Object(parseJson(text).value) as { readonly code?: unknown; readonly detail?: unknown };
  const reason = typeof detail === "string" ? detail : text.slice(0, 200);
  const message = `The runner rejected the call with ${status}${reason === "" ? "." : `: ${reason}`}`;
  return new RunnerError(typeof code === "string" ? code : "CALL_REJECTED", message, { status });
}
