import { type CallData, type Logger, type RestClient, RunnerError } from "@pipecat-ts/runner-core";
import type { ApiRequest, Carrier, CarrierOptions, Transfer } from "./carrier.ts";
import { formatWhisper, type Whisper, whisperParameter } from "./whisper.ts";

/** The webhook parameter that requests the document of a transfer. */
export const transferParameter = "transferTo";

/** One call's access to its carrier's REST API. */
export interface CallControl {
  /** Hangs up, once. Resolves, and never rejects, when that succeeded or failed; failures are logged. */
  hangUp(): Promise<void>;
  /**
   * Throws when the carrier has an API that cannot be used: CARRIER_CREDENTIALS_MISSING without credentials, CALL_UNVERIFIED
   * when the carrier did not name the call.
   */
  requireHangUp(): void;
  /**
   * Transfers the call once `ready` resolves. Rejects with TRANSFER_UNSUPPORTED, CARRIER_CREDENTIALS_MISSING, WHISPER_INVALID,
   * CALL_UNVERIFIED, PUBLIC_URL_MISSING, CARRIER_REFUSED, or the error of `ready`; the call then continues. Rejects with
   * TRANSFER_UNDER_WAY, and has no effect, unless every earlier transfer was rejected.
   */
  transfer(number: string, whisper: Whisper | undefined, ready: () => Promise<void>): Promise<void>;
  /** Sends DTMF; absent when the API cannot. Rejects with CARRIER_REFUSED. */
  readonly sendDtmf: ((digits: string) => Promise<void>) | undefined;
  /** Whether the call was transferred; waits for a transfer in progress. Never rejects. */
  transferred(): Promise<boolean>;
}

export interface CallControlOptions<Options extends CarrierOptions> {
  readonly carrier: Carrier<Options>;
  readonly options: Options;
  readonly call: CallData;
  /** Whether the carrier named the call. Requests about another one could concern any call of the account. */
  readonly isVerified: boolean;
  /** What to do so that the carrier's calls are verified. */
  readonly verificationFix: string;
  readonly rest: RestClient;
  readonly logger: Logger;
  /** The public URL of this carrier's webhook with parameters that request a document. Throws PUBLIC_URL_MISSING. */
  documentUrl(parameters: Readonly<Record<string, string>>): URL;
}

export function createCallControl<Options extends CarrierOptions>(settings: CallControlOptions<Options>): CallControl {
  const { carrier, options, call, isVerified, verificationFix: fix, rest, logger } = settings;
  const { title } = carrier;
  const configured = carrier.api?.isReady(options) ? carrier.api : undefined;
  const api = isVerified ? configured : undefined;
  const sendDtmf = api?.sendDtmf;
  let hangingUp: Promise<void> | undefined;
  let transferring: Promise<boolean> | undefined;

  async function send(action: string, request: ApiRequest): Promise<void> {
    const answer = await rest.send(request);
    const { status } = answer;
    if ((status >= 200 && status < 300) || request.isDone?.(answer)) return;
    // The body of the answer may contain phone numbers.
    throw new RunnerError("CARRIER_REFUSED", `${title} did not ${action}: status ${status}.`, {
      fix:
        status === 401 || status === 403
          ? `Check the credentials: ${anyOf(carrier.api?.fixes ?? [])}`
          : `Look up the call in the log of your ${title} account.`,
    });
  }

  async function hangUp(): Promise<void> {
    if (configured && !api)
      logger.warn({ code: "CALL_UNVERIFIED", fix }, "socket closed without hang-up: call not verified");
    if (!api) return;
    try {
      await send("hang up", { ...api.hangUp(call, options), attempts: 2, idempotent: true });
      logger.debug("call hung up");
    } catch (err) {
      logger.warn({ err }, "hang-up failed");
    }
  }

  function apiUnavailable(what: string): RunnerError {
    if (configured) {
      const message = `The call cannot be ${what}: nothing proves that ${title} sent it.`;
      return new RunnerError("CALL_UNVERIFIED", message, { fix });
    }
    const message = `The call cannot be ${what}: the credentials of ${title} are not configured.`;
    return new RunnerError("CARRIER_CREDENTIALS_MISSING", message, { fix: anyOf(carrier.api?.fixes ?? []) });
  }

  function requireWhisper(whisper: Whisper, kinds: readonly string[] = []): void {
    formatWhisper(whisper);
    const kind = "play" in whisper && whisper.play !== undefined ? "play" : "say";
    if (kinds.includes(kind)) return;
    const what = kind === "say" ? "say a text" : "play a file";
    throw new RunnerError("TRANSFER_UNSUPPORTED", `${title} cannot ${what} to the callee of a transfer.`, {
      fix: kinds.includes("play")
        ? 'Pass the URL of an audio file: {play: "https://…"}.'
        : "Transfer without a whisper.",
    });
  }

  function transferOf(number: string, whisper: Whisper | undefined): Transfer {
    const parameters = whisper ? { [whisperParameter]: formatWhisper(whisper) } : undefined;
    return {
      number,
      whisper,
      documentUrl: () => settings.documentUrl({ [transferParameter]: number, ...parameters }),
      whisperUrl: () => parameters && settings.documentUrl(parameters),
    };
  }

  return {
    hangUp() {
      hangingUp ??= hangUp();
      return hangingUp;
    },
    requireHangUp() {
      if (carrier.api && !api) throw apiUnavailable("hung up");
    },
    async transfer(number, whisper, ready) {
      if (!carrier.api?.transfer) {
        throw new RunnerError("TRANSFER_UNSUPPORTED", `${title} cannot transfer a call in progress.`, {
          fix: `Close the transport: ${title} then continues with the next step of its flow.`,
        });
      }
      if (!api?.transfer) throw apiUnavailable("transferred");
      if (whisper) requireWhisper(whisper, api.whispers);
      const request = api.transfer(call, transferOf(number, whisper), options);
      if (transferring) {
        throw new RunnerError("TRANSFER_UNDER_WAY", "The call is already being transferred.", {
          fix: "Call transferTo() again only after the first call rejected.",
        });
      }
      const sending = ready().then(() => send("transfer the call", request));
      transferring = sending.then(
        () => true,
        () => false,
      );
      if (!(await transferring)) transferring = undefined;
      await sending;
    },
    sendDtmf: sendDtmf && ((digits) => send("send DTMF", sendDtmf(call, digits, options))),
    transferred: () => transferring ?? Promise.resolve(false),
  };
}

/** Whether `text` is a number that a call can be transferred to: `+15550100`, digits only, or a SIP URI. */
export function isPhoneNumber(text: string): boolean {
  return /^(\+?[0-9]{3,15}|sips?:[^\s<>"&]{3,200})$/.test(text);
}

/**
 * The URL of an API path. Segments are escaped, because a call id may contain any character. Throws CARRIER_REFUSED for
 * segments that escaping cannot protect: `.` and `..`, which would address all calls of the account, and lone surrogates.
 */
export function apiPath(base: string, ...segments: readonly string[]): URL {
  if (segments.some((segment) => /^\.{1,2}$/.test(segment) || !segment.isWellFormed())) {
    throw new RunnerError("CARRIER_REFUSED", "The id of the call is not a valid id: no API request was sent.", {
      fix: "Find out where the call came from: carriers do not use such ids.",
    });
  }
  return new URL(`${base.replace(/\/+$/, "")}/${segments.map(encodeURIComponent).join("/")}`);
}

/** The `authorization` header of HTTP Basic authentication. */
export function basicAuthorization(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** One sentence for each fix, any of which is enough. */
export function anyOf(fixes: readonly string[]): string {
  return fixes.map((fix, index) => (index === 0 ? fix : `Or ${fix.charAt(0).toLowerCase()}${fix.slice(1)}`)).join(" ");
}
