import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { RunnerError } from "@pipecat-ts/runner-core";

/** The only supported version of daily-js. It is pinned because npm installs an older one on older Node versions. */
export const sdkVersion = "0.92.2";

/** The path of daily-js's browser script. Throws DAILY_SDK_MISSING, also for another version. */
export function findSdk(resolve: (file: string) => string = createRequire(import.meta.url).resolve): string {
  let file: string;
  let version: unknown;
  try {
    // Each of its files can be resolved, because the package has no `exports`.
    const manifest = resolve("@daily-co/daily-js/package.json");
    version = (JSON.parse(readFileSync(manifest, "utf8")) as { readonly version?: unknown }).version;
    file = join(dirname(manifest), "dist/daily.js");
  } catch (cause) {
    throw sdkMissing("@daily-co/daily-js is not installed", cause);
  }
  if (version !== sdkVersion) throw sdkMissing(`@daily-co/daily-js is version ${version}`);
  return file;
}

function sdkMissing(fault: string, cause?: unknown): RunnerError {
  return new RunnerError("DAILY_SDK_MISSING", `${fault}; bots require exactly ${sdkVersion}.`, {
    status: 503,
    fix: `Run npm i --save-exact @daily-co/daily-js@${sdkVersion}`,
    ...(cause !== undefined && { cause }),
  });
}

/** An error of daily-js, as the page reports it. */
export interface SdkFailure {
  /** Daily's name of the error: `exp-token`, `connection-error`. `sdk` when the page loaded another version of daily-js. */
  readonly type?: string;
  readonly message: string;
  /** The step that failed to connect. `load` is the download of the call machine. */
  readonly on?: string;
}

/** The errors with which Daily rejects this bot. https://docs.daily.co/reference/daily-js/events/meeting-events#error */
const refusals: Readonly<Record<string, string>> = {
  "not-allowed": "Use a token of this room. The room does not admit anyone without a token.",
  "exp-token": "The token has expired. Start a new session.",
  "exp-room": "The room has expired. Start a new session.",
  "nbf-token": "The token is not valid yet. Check its nbf.",
  "nbf-room": "The room is not open yet. Check its nbf.",
  "no-room": "The room does not exist, because it expired or was deleted. Start a new session.",
  "meeting-full": "The room is full. Raise max_participants.",
  "end-of-life": "Daily no longer supports this version of daily-js. Update @pipecat-ts/runner-daily.",
  ejected: "A participant removed the bot.",
};

/** The error of a bot that could not join its room. */
export function joinError({ type, message, on }: SdkFailure, bundleUrl: string | undefined): RunnerError {
  if (type === "sdk") return sdkMissing(message);
  if (type === "connection-error" && on === "load") {
    const from = bundleUrl ?? "Daily's servers";
    const text = `Daily's call machine cannot be loaded from ${from}: ${message}`;
    return new RunnerError("DAILY_BUNDLE_UNREACHABLE", text, {
      status: 502,
      fix: "Allow this machine to reach https://c.daily.co, or set DAILY_BUNDLE_URL to a copy.",
    });
  }
  const fix = type === undefined ? undefined : refusals[type];
  if (fix !== undefined) {
    return new RunnerError("DAILY_JOIN_REFUSED", `Daily does not admit the bot: ${type}: ${message}.`, {
      status: 502,
      fix,
    });
  }
  return new RunnerError("DAILY_JOIN_FAILED", `The bot could not join its room: ${type ?? "error"}: ${message}.`, {
    status: 502,
    fix: "Allow this machine to reach Daily over TCP port 443, and UDP where possible: https://docs.daily.co/guides/privacy-and-security/corporate-firewalls-nats-allowed-ip-list",
  });
}
