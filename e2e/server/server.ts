import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RunnerOptions } from "@pipecat-ts/runner-host";
import { until, within } from "@pipecat-ts/runner-testing";
import { type Answer, send } from "../../packages/runner-core/src/caller/http.ts";
import { connectCaller as connectByWebRTC, type WebRTCCaller } from "../../packages/runner-webrtc/src/caller.ts";
import type { PeerCallerOptions } from "../../packages/runner-webrtc/src/peer/werift/peer-caller.ts";
import { connectCaller, type WebSocketCaller } from "../../packages/runner-websocket/src/caller.ts";
import type { Answers, Question } from "./messages.ts";

/** One line of the server's log. */
export interface LogLine {
  /** Pino's: 30 is info, 40 a warning, 50 an error. */
  readonly level: number;
  readonly msg: string;
  readonly session?: string;
  /** Of the line `session ended`. */
  readonly reason?: string;
}

/** A runner with the example bot in a child process, so that its measurements do not include callers. */
export interface Server extends AsyncDisposable {
  readonly port: number;
  /** Its log since the last `takeLog`. */
  readonly log: readonly LogLine[];
  /** Returns the log and clears it. */
  takeLog(): LogLine[];
  ask<Ask extends keyof Answers>(ask: Ask, ms?: number): Promise<Answers[Ask]>;
  /** Sends `POST /start`. */
  start(fields?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** Starts a session and connects to it over WebSocket. */
  call(fields?: Readonly<Record<string, unknown>>): Promise<WebSocketCaller>;
  /** Starts a session and returns the URL for its offers. */
  offerEndpoint(fields?: Readonly<Record<string, unknown>>): Promise<URL>;
  /** Starts a session and connects to it over WebRTC. */
  callByWebRTC(fields?: Readonly<Record<string, unknown>>, calling?: PeerCallerOptions): Promise<WebRTCCaller>;
  /** Sends SIGTERM. */
  terminate(): void;
  /** Waits for a log line whose message starts with `message`. */
  logged(message: string): Promise<void>;
  /** Resolves with the exit code of the process. */
  readonly exited: Promise<number | null>;
  /** Closes the runner. Rejects unless the process then exits by itself with code 0. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How long the process may take to start, to answer, and to exit. */
const timeoutMs = 20_000;

/** Options of a server. Without `maxSessions` it has no limit of sessions. */
export interface ServerOptions
  extends Pick<
    RunnerOptions,
    | "maxSessions"
    | "shutdownTimeoutMs"
    | "downloadsFolder"
    | "apiKey"
    | "webSocketAuth"
    | "allowedOrigins"
    | "pluginOptions"
  > {
  readonly uploadsFolder?: string;
  /** Default: websocket alone. `all` adds Daily and WhatsApp. */
  readonly transports?: readonly ServerTransport[] | "all";
}

/** The transports of `startServer`. */
export type ServerTransport = "websocket" | "webrtc" | "twilio" | "telnyx" | "plivo" | "exotel" | "vonage";

/** Starts a server and waits until it listens. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const child = fork(join(import.meta.dirname, "program.ts"), [JSON.stringify(options)], {
    execArgv: ["--expose-gc"],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  let log: LogLine[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => log.push(JSON.parse(line)));
  await answerOf(child, "start");
  let before: Promise<unknown> = Promise.resolve();

  async function ask<Ask extends keyof Answers>(ask: Ask, ms?: number): Promise<Answers[Ask]> {
    const question: Question = ms === undefined ? { ask } : { ask, ms };
    const answer = before.then(() => {
      child.send(question);
      return answerOf(child, ask);
    });
    before = answer.catch(() => undefined);
    return (await answer) as Answers[Ask];
  }

  const port = await ask("port");
  const start: Server["start"] = (fields) =>
    send(`http://127.0.0.1:${port}/start`, { method: "POST", ...(fields && { body: fields }) });

  async function started(fields?: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    const { status, text, json } = await start(fields);
    if (status !== 200) throw new Error(`POST /start answered ${status} ${text}`);
    return json as Readonly<Record<string, unknown>>;
  }

  const offerEndpoint: Server["offerEndpoint"] = async (fields) =>
    new URL(
      `/sessions/${(await started({ transport: "webrtc", ...fields })).sessionId}/api/offer`,
      `http://127.0.0.1:${port}`,
    );

  return {
    port,
    get log() {
      return log;
    },
    takeLog() {
      const taken = log;
      log = [];
      return taken;
    },
    ask,
    start,
    call: async (fields) => await connectCaller(String((await started({ transport: "websocket", ...fields })).wsUrl)),
    offerEndpoint,
    callByWebRTC: async (fields, calling) =>
      await connectByWebRTC(await offerEndpoint(fields), undefined, undefined, calling),
    terminate: () => void child.kill("SIGTERM"),
    logged: (message) =>
      until(`the server logs "${message}"`, () => log.some(({ msg }) => msg.startsWith(message)), timeoutMs),
    exited,
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      try {
        const code = await within("the server's process exits", exited, timeoutMs);
        if (code !== 0) throw new Error(`The server's process exited with code ${code}.`);
      } finally {
        child.kill("SIGKILL");
      }
    },
  };
}

/** The next message from the process. Rejects when the process exits. */
async function answerOf(child: ChildProcess, what: string): Promise<unknown> {
  const over = new AbortController();
  const { signal } = over;
  try {
    const died = once(child, "exit", { signal }).then(([code]) => {
      throw new Error(`The server's process exited with code ${code} before it answered "${what}".`);
    });
    const [message] = await within(
      `the server answers "${what}"`,
      Promise.race([once(child, "message", { signal }), died]),
      timeoutMs,
    );
    return (message as { readonly answer: unknown }).answer;
  } finally {
    over.abort();
  }
}
