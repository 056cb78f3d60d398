import { RunnerError } from "@pipecat-ts/runner-core";
import { sdkVersion } from "./daily-sdk.ts";
import type { PageFailure } from "./page-messages.ts";

/** The errors of Daily's that say no to this bot, whoever tries. https://docs.daily.co/reference/daily-js/events/meeting-events#error */
const refusals: Readonly<Record<string, string>> = {
  "not-allowed": "The token is not of this room, or the room takes nobody without one.",
  "exp-token": "The token has expired: start another session.",
  "exp-room": "The room has expired: start another session.",
  "nbf-token": "The token is not valid yet.",
  "nbf-room": "The room is not open yet.",
  "no-room": "The room does not exist: it expired or was deleted.",
  "meeting-full": "The room is full: raise max_participants.",
  "end-of-life": "Daily no longer takes this version of daily-js: update @pipecat-ts/runner-daily.",
  ejected: "Somebody removed the bot.",
};

/** Why a bot is not in its room, by code. */
export function joinError({ type, message, on }: PageFailure, bundleUrl: string | undefined): RunnerError {
  if (type === "sdk") {
    return new RunnerError("DAILY_SDK_MISSING", `${message}; bots need exactly ${sdkVersion}.`, {
      status: 503,
      fix: `Install it: npm i --save-exact @daily-co/daily-js@${sdkVersion}`,
    });
  }
  if (type === "connection-error" && on === "load") {
    const from = bundleUrl ?? "Daily's servers";
    return new RunnerError(
      "DAILY_BUNDLE_UNREACHABLE",
      `Daily's call machine cannot be loaded from ${from}: ${message}`,
      {
        status: 502,
        fix: "Let this machine reach https://c.daily.co, or set DAILY_BUNDLE_URL to a copy.",
      },
    );
  }
  const fix = type === undefined ? undefined : refusals[type];
  if (type !== undefined && fix !== undefined) {
    return new RunnerError("DAILY_JOIN_REFUSED", `Daily does not let the bot in: ${type}: ${message}.`, {
      status: 502,
      fix,
    });
  }
  return new RunnerError("DAILY_JOIN_FAILED", `The bot could not join its room: ${type ?? "error"}: ${message}.`, {
    status: 502,
    fix: "Let this machine reach Daily over TCP 443, and UDP where possible: https://docs.daily.co/guides/privacy-and-security/corporate-firewalls-nats-allowed-ip-list",
  });
}
