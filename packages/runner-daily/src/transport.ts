import { type Logger, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { createPacer, type Pacer } from "@pipecat-ts/runner-media";
import type { DailyDialinRequest, DailyParams } from "./arguments.ts";
import { botMark } from "./call/bot-mark.ts";
import { createBrowserEngine } from "./call/browser/browser-engine.ts";
import type { DailyCall, DailyEngine } from "./call/daily-call.ts";
import type { DailyTransport } from "./call/daily-transport.ts";
import { openTransport } from "./call/open-transport.ts";
import { type DailyOptions, dailyOptions } from "./options.ts";
import { requireApiKey } from "./rooms/configure.ts";
import { recogniseDialin } from "./rooms/dialin.ts";
import { createDailyRest, type DailyRest } from "./rooms/rest.ts";

/** What a Daily transport is built from. */
export interface DailyTransportOptions {
  readonly roomUrl: string;
  /** Without one the bot joins as a guest, which only public rooms allow. */
  readonly token?: string;
  readonly params?: DailyParams;
  readonly logger: Logger;
  /** `args.body` of a bot that a phone call started: the call is sent into the room. */
  readonly body?: unknown;
  /** Default: headless Chromium, as `PIPECAT_CHROMIUM` or the first that is installed. */
  readonly engine?: DailyEngine;
  /** The metronome that the calls of one process share. Default: one of its own. */
  readonly pacer?: Pacer;
}

/**
 * Joins a Daily room by hand, without a runner; close it when done. Rejects with DAILY_BROWSER_MISSING, DAILY_SDK_MISSING,
 * DAILY_BUNDLE_UNREACHABLE, DAILY_JOIN_REFUSED, DAILY_JOIN_FAILED, DAILY_JOIN_TIMEOUT, DAILY_BROWSER_CRASHED,
 * OPTION_INVALID, and with DAILY_API_KEY_MISSING for a phone call; then nothing is left open.
 */
export async function createDailyTransport(options: DailyTransportOptions): Promise<DailyTransport> {
  const { roomUrl, token, params, logger, body, pacer = createPacer() } = options;
  const settings = resolveOptions(dailyOptions);
  const { chromium, bundleUrl, joinTimeout, emptyRoomTimeout } = settings;
  const engine = options.engine ?? createBrowserEngine({ chromium, bundleUrl });
  const rest = recogniseDialin(body) && createDailyRest(accountOf(body, settings));
  return await joinRoom({ engine, roomUrl, token, params, logger, body, pacer, rest, joinTimeout, emptyRoomTimeout });
}

/** The account that a phone call belongs to: the one that its body names, else the one that is set up. */
function accountOf(body: unknown, settings: Pick<DailyOptions, "apiKey" | "apiUrl">) {
  const { daily_api_key: apiKey = settings.apiKey, daily_api_url: apiUrl = settings.apiUrl } = Object(
    body,
  ) as Partial<DailyDialinRequest>;
  return { apiKey: requireApiKey(apiKey), apiUrl };
}

export interface JoinRoomOptions {
  readonly engine: DailyEngine;
  readonly roomUrl: string;
  readonly token: string | undefined;
  readonly params: DailyParams | undefined;
  readonly logger: Logger;
  readonly body: unknown;
  readonly pacer: Pacer;
  /** The account that a phone call in `body` belongs to. */
  readonly rest: DailyRest | undefined;
  /** In seconds. */
  readonly joinTimeout: number;
  /** In seconds; 0 waits. */
  readonly emptyRoomTimeout: number;
  /** Is told of the seat before it is taken. */
  opened?(call: DailyCall): void;
}

/** Joins a room, and sends the phone call there that `body` speaks of. Rejects as `createDailyTransport` does. */
export async function joinRoom(options: JoinRoomOptions): Promise<DailyTransport> {
  const { engine, roomUrl, token, params = {}, logger, pacer, rest, joinTimeout, emptyRoomTimeout, opened } = options;
  const { userName = "Pipecat Bot", audioOutSampleRate = 24_000, audioOutBitrate } = params;
  const { emptyRoomTimeoutMs = emptyRoomTimeout * 1000 } = params;
  requireSampleRate(audioOutSampleRate);
  requireTimeout(emptyRoomTimeoutMs);
  const phone = recogniseDialin(options.body);
  return await openTransport({
    engine,
    request: {
      roomUrl,
      ...(token !== undefined && { token }),
      userName,
      userData: botMark,
      sampleRate: audioOutSampleRate,
      ...(audioOutBitrate !== undefined && { bitrate: audioOutBitrate }),
      hears: params.audioInEnabled ?? true,
      timeoutMs: joinTimeout * 1000,
    },
    params,
    pacer,
    logger,
    emptyRoomTimeoutMs: emptyRoomTimeoutMs === 0 ? Number.POSITIVE_INFINITY : emptyRoomTimeoutMs,
    ...(phone && rest && { sendCallTo: (sipUri: string) => rest.updatePinlessCall({ ...phone, sipUri }) }),
    ...(opened && { opened }),
  });
}

function requireSampleRate(sampleRate: number): void {
  if (Number.isInteger(sampleRate / 50) && sampleRate >= 8_000 && sampleRate <= 48_000) return;
  throw new RunnerError("OPTION_INVALID", `The daily transport's audioOutSampleRate cannot be ${sampleRate}.`, {
    fix: "Give a multiple of 50 from 8,000 to 48,000 Hz.",
  });
}

/** Timers take no longer ones: they fire at once. */
const longestMs = 2 ** 31 - 1;

function requireTimeout(timeoutMs: number): void {
  if ((timeoutMs >= 0 && timeoutMs <= longestMs) || timeoutMs === Number.POSITIVE_INFINITY) return;
  throw new RunnerError("OPTION_INVALID", `The daily transport's emptyRoomTimeoutMs cannot be ${timeoutMs}.`, {
    fix: "Give up to 2,147,483,647 ms, which are 24 days; 0 and Infinity wait.",
  });
}
