import { join } from "node:path";
import { isRunnerError, RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";
import { type Chromium, findChromium, launchChromium } from "./chromium.ts";
import type { DailyCall, DailyCallListener, DailyClient, JoinRequest } from "./client.ts";
import { findSdk, joinError, type SdkFailure, sdkVersion } from "./daily-js.ts";
import { createPageLink, type PageLink } from "./page-link.ts";
import { openPageServer, type PageServer } from "./page-server.ts";

/** The browser that joins Daily rooms. */
export interface BrowserClientOptions {
  /** The path of the browser. Default: the first installed Chromium. */
  readonly chromium?: string | undefined;
  /** The folders that are searched for a browser. Default: `PATH`. */
  readonly path?: string;
  /** The URL of the folder with Daily's call machine. Default: Daily's servers. */
  readonly bundleUrl?: string | undefined;
}

/** The default Daily client: daily-js in headless Chromium, one browser per bot. */
export function createBrowserClient(options: BrowserClientOptions = {}): DailyClient {
  const { chromium, path = process.env.PATH ?? "", bundleUrl } = options;
  const findProgram = () => findChromium(chromium, path);
  return {
    check() {
      try {
        findProgram();
        findSdk();
        return { state: "ready" };
      } catch (error) {
        if (!isRunnerError(error)) throw error;
        return { state: "limited", reason: error.message, fix: error.fix ?? "" };
      }
    },
    probe: (signal) => probeBrowser(findProgram(), signal),
    open: (listener) => createBrowserCall({ findProgram, bundleUrl }, listener),
  };
}

export interface BrowserCallOptions {
  /** Throws DAILY_BROWSER_MISSING. */
  findProgram(): string;
  /** The folder of the page. Default: the one in this package. */
  readonly folder?: string;
  readonly bundleUrl: string | undefined;
}

/** The folder of the page, which is next to both `src` and `dist`. */
export const pageFolder: string = join(import.meta.dirname, "../page");

/** Opens the page in a browser, and waits until it connects to this process. */
async function probeBrowser(program: string, signal: AbortSignal): Promise<void> {
  const server = await openPageServer({ folder: pageFolder, sdk: findSdk() });
  let chromium: Chromium | undefined;
  try {
    chromium = await launchChromium(program);
    const ended = chromium.ended.then((status) => Promise.reject(crashed(status)));
    chromium.open(server.url);
    const connected = Promise.race([server.socket, ended]);
    if (!(await withTimeout(connected, signal))) throw signal.reason;
    await connected;
  } finally {
    await Promise.all([chromium?.kill(), server.close()]);
  }
}

type Participants = Readonly<Record<string, unknown>>;

/** How long the page may take to leave the room before its browser is killed. */
const leaveTimeoutMs = 1_000;

/** The call of one bot: a headless Chromium with a page that runs daily-js. */
export function createBrowserCall(options: BrowserCallOptions, listener: DailyCallListener): DailyCall {
  const { findProgram, folder = pageFolder, bundleUrl } = options;
  const { promise: closed, reject: rejectClosed } = Promise.withResolvers<never>();
  // Only used until the page is connected.
  closed.catch(() => undefined);
  let server: PageServer | undefined;
  let chromium: Chromium | undefined;
  let link: PageLink | undefined;
  let joining: Promise<Participants> | undefined;
  let joined = false;
  let closing: Promise<void> | undefined;

  async function joinRoom({ roomUrl, timeoutMs: _, ...request }: JoinRequest): Promise<Participants> {
    if (closing) throw callEnded();
    const program = findProgram();
    const sdk = findSdk();
    server = await openPageServer({ folder, sdk });
    if (closing) throw callEnded();
    chromium = await launchChromium(program);
    if (closing) throw callEnded();
    void chromium.ended.then((status) => fail(crashed(status)));
    chromium.open(server.url);
    const socket = await Promise.race([server.socket, closed]);
    if (closing) throw callEnded();
    link = connect(socket);
    const answer = await link.request({ command: "join", url: roomUrl, bundleUrl, version: sdkVersion, ...request });
    return answer as Participants;
  }

  function connect(socket: WebSocket): PageLink {
    socket.once("close", () => fail(crashed("its page closed")));
    return createPageLink(socket, listener);
  }

  /** The browser or its page is gone. */
  function fail(error: RunnerError): void {
    rejectPending(error);
    if (closing) return;
    const wasJoined = joined;
    void close();
    if (wasJoined) listener.lost(error);
  }

  function rejectPending(error: RunnerError): void {
    rejectClosed(error);
    link?.end(error);
  }

  async function release(deadline: AbortSignal | undefined): Promise<void> {
    link?.mute();
    if (link) {
      // Also during the join: the other participants may already see the bot.
      const limit = AbortSignal.timeout(leaveTimeoutMs);
      await withTimeout(link.request({ command: "leave" }), deadline ? AbortSignal.any([limit, deadline]) : limit);
    }
    joined = false;
    rejectPending(callEnded());
    // Now the server and the browser exist and can be closed.
    await joining?.catch(() => undefined);
    await Promise.all([chromium?.kill(), server?.close()]);
  }

  function close(deadline?: AbortSignal): Promise<void> {
    closing ??= release(deadline);
    return closing;
  }

  return {
    async join(request) {
      joining = joinRoom(request);
      try {
        if (!(await withTimeout(joining, request.timeoutMs))) throw joinTimeout(request.timeoutMs);
        const participants = await joining;
        if (closing) throw callEnded();
        joined = true;
        listener.joined(participants);
        link?.send({ command: "events" });
      } catch (error) {
        const isClosing = closing !== undefined;
        await close();
        if (!isRunnerError(error) || error.code !== "DAILY_CALL_FAILED") throw error;
        throw isClosing ? callEnded() : joinError(error.cause as SdkFailure, bundleUrl);
      }
    },
    sendAudio: (samples) => link?.sendAudio(samples),
    clearAudio: () => link?.send({ command: "clear" }),
    markAudio: (mark) => link?.send({ command: "mark", mark }),
    get bufferedBytes() {
      return link?.bufferedBytes ?? 0;
    },
    async request(method, ...args) {
      if (!link || !joined) throw callEnded();
      return await link.request({ command: "call", method, args });
    },
    close,
  };
}

function callEnded(): RunnerError {
  return new RunnerError("CALL_ENDED", "The bot has left its room.");
}

function crashed(status: string): RunnerError {
  return new RunnerError("DAILY_BROWSER_CRASHED", `The browser of the bot's call is gone: ${status}.`, {
    status: 502,
    fix: "If the message mentions a sandbox, allow this user to create user namespaces. Otherwise check the free memory: a bot in a room needs about 300 MB.",
  });
}

function joinTimeout(timeoutMs: number): RunnerError {
  return new RunnerError("DAILY_JOIN_TIMEOUT", `The bot did not join its room within ${timeoutMs / 1000} s.`, {
    status: 504,
    fix: "Check the load of this machine and its network path to Daily, or raise --daily-join-timeout.",
  });
}
