import { isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import { systemClock } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";
import type { DailyCall, DailyCallListener, JoinRequest } from "../daily-call.ts";
import { type Chromium, launchChromium } from "./chromium.ts";
import { findSdk, sdkVersion } from "./daily-sdk.ts";
import { joinError } from "./join-error.ts";
import { createPageLink, type PageLink } from "./page-link.ts";
import type { PageFailure } from "./page-messages.ts";
import { openPageServer, type PageServer } from "./page-server.ts";

export interface BrowserCallOptions {
  /** Finds the browser; throws DAILY_BROWSER_MISSING. */
  findProgram(): string;
  readonly pageFolder: string;
  /** Where the call machine is loaded from; Daily's own servers unless told. */
  readonly bundleUrl: string | undefined;
}

type Participants = Readonly<Record<string, unknown>>;

/** How long a bot may take to say goodbye before its browser is ended. */
const leaveMs = 1_000;

/** A seat in a room by a headless Chromium of its own, in which a page of ours runs daily-js. */
export function createBrowserCall(options: BrowserCallOptions, listener: DailyCallListener): DailyCall {
  const { findProgram, pageFolder, bundleUrl } = options;
  const { promise: closed, reject: giveUp } = Promise.withResolvers<never>();
  // Nobody waits once the page is there.
  closed.catch(() => undefined);
  let server: PageServer | undefined;
  let chromium: Chromium | undefined;
  let link: PageLink | undefined;
  let seating: Promise<Participants> | undefined;
  let joined = false;
  let closing: Promise<void> | undefined;

  async function seat({ roomUrl, timeoutMs: _, ...rest }: JoinRequest): Promise<Participants> {
    const program = findProgram();
    const sdk = findSdk();
    server = await openPageServer({ folder: pageFolder, sdk });
    if (closing) throw over();
    chromium = await launchChromium(program);
    if (closing) throw over();
    void chromium.ended.then((why) => fail(crashed(why)));
    chromium.open(server.url);
    const socket = await Promise.race([server.socket, closed]);
    if (closing) throw over();
    link = connect(socket);
    const answer = await link.ask({ command: "join", url: roomUrl, bundleUrl, version: sdkVersion, ...rest });
    const { participants = {} } = answer as { readonly participants?: Participants };
    return participants;
  }

  function connect(socket: WebSocket): PageLink {
    socket.once("close", () => fail(crashed("its page is gone")));
    return createPageLink(socket, listener);
  }

  /** The browser or its page is gone. */
  function fail(error: RunnerError): void {
    end(error);
    if (closing) return;
    const wasJoined = joined;
    void close();
    if (wasJoined) listener.lost(error);
  }

  /** Whoever waits for the page, or for something of it, waits no more. */
  function end(error: RunnerError): void {
    giveUp(error);
    link?.end(error);
  }

  async function leave(): Promise<void> {
    if (!link || !joined) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = systemClock.after(leaveMs, resolve);
    const left = link.ask({ command: "leave" }).catch(() => undefined);
    await Promise.race([left, late]);
    cancel();
  }

  async function release(): Promise<void> {
    link?.mute();
    await leave();
    joined = false;
    end(over());
    // What is being opened is there to be closed afterwards.
    await seating?.catch(() => undefined);
    await Promise.all([chromium?.kill(), server?.close()]);
  }

  function close(): Promise<void> {
    closing ??= release();
    return closing;
  }

  return {
    async join(request) {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const cancel = systemClock.after(request.timeoutMs, () => reject(tooLate(request.timeoutMs)));
      try {
        seating = seat(request);
        const participants = await Promise.race([seating, late]);
        if (closing) throw over();
        joined = true;
        return { participants };
      } catch (error) {
        await close();
        throw isRunnerError(error) && error.code === "DAILY_CALL_FAILED"
          ? joinError(error.cause as PageFailure, bundleUrl)
          : error;
      } finally {
        cancel();
      }
    },
    sendAudio: (samples) => link?.sendAudio(samples),
    clearAudio: () => link?.tell({ command: "clear" }),
    markAudio: (mark) => link?.tell({ command: "mark", mark }),
    get bufferedBytes() {
      return link?.bufferedBytes ?? 0;
    },
    async request(method, ...args) {
      if (!link || !joined) throw over();
      return await link.ask({ command: "call", method, args });
    },
    close,
  };
}

function over(): RunnerError {
  return new RunnerError("CALL_ENDED", "The bot is not in its room any more.");
}

function crashed(why: string): RunnerError {
  return new RunnerError("DAILY_BROWSER_CRASHED", `The browser that held the bot's call is gone: ${why}.`, {
    status: 502,
    fix: "Where it speaks of a sandbox, let this user make user namespaces. Otherwise see whether memory is short: a bot in a room takes some 300 MB.",
  });
}

function tooLate(timeoutMs: number): RunnerError {
  return new RunnerError("DAILY_JOIN_TIMEOUT", `The bot was not in its room after ${timeoutMs / 1000} s.`, {
    status: 504,
    fix: "Check this machine's load and its way to Daily, or raise --daily-join-timeout.",
  });
}
