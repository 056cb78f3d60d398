import { RunnerError } from "@pipecat-ts/runner-core";
import { hideNumbers } from "../hide-numbers.ts";

/** What Daily's REST API said. */
export interface DailyAnswer {
  /** The HTTP status; absent when it did not answer. */
  readonly dailyStatus?: number | undefined;
  /** Its stable name of the error: `invalid-request-error`. https://docs.daily.co/reference/rest-api#errors */
  readonly error?: string | undefined;
  /** Its explanation, without phone numbers and keys. */
  readonly info?: string | undefined;
}

/**
 * A request to Daily's REST API that failed: DAILY_REFUSED when Daily said no, DAILY_UNREACHABLE when it did not answer.
 * Both are answered with 502.
 */
export class DailyError extends RunnerError implements DailyAnswer {
  override readonly name: string = "DailyError";
  readonly dailyStatus: number | undefined;
  readonly error: string | undefined;
  readonly info: string | undefined;

  constructor(
    code: "DAILY_REFUSED" | "DAILY_UNREACHABLE",
    message: string,
    { dailyStatus, error, info, ...options }: DailyAnswer & { readonly fix?: string; readonly cause?: unknown },
  ) {
    super(code, message, { status: 502, ...options });
    this.dailyStatus = dailyStatus;
    this.error = error;
    this.info = info;
  }
}

/** The error of an answer that is no success. `request` is method and path; `secret` must not be repeated. */
export function refusedBy(request: string, dailyStatus: number, text: string, secret: string): DailyError {
  const hide = (words: string) => hideNumbers(words.replaceAll(secret, "…"));
  const answer = recogniseAnswer(text);
  const error = answer.error && hide(answer.error);
  // Hidden before it is cut: half a key is no longer recognised.
  const info = answer.info === undefined ? hide(text).slice(0, 200) : hide(answer.info);
  const words = [error, info].filter(Boolean).join(": ");
  const message = `Daily answered ${request} with ${dailyStatus}${words === "" ? "" : ` ${words}`}.`;
  return new DailyError("DAILY_REFUSED", message, {
    dailyStatus,
    error,
    info,
    fix: fixFor(dailyStatus),
  });
}

function recogniseAnswer(text: string): { readonly error?: string; readonly info?: string } {
  try {
    const { error, info } = Object(JSON.parse(text)) as { readonly error?: unknown; readonly info?: unknown };
    return {
      ...(typeof error === "string" && { error }),
      info: typeof info === "string" ? info : "",
    };
  } catch {
    return {}; // A proxy's page: its text is shown as it is.
  }
}

function fixFor(status: number): string {
  if (status === 401 || status === 403)
    return "Check DAILY_API_KEY: keys are at https://dashboard.daily.co/developers.";
  if (status === 429) return "Ask for fewer rooms at a time.";
  if (status >= 500) return "Try again; https://status.daily.co says whether Daily has trouble.";
  return "Change what the answer complains about.";
}
