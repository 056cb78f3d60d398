import { RunnerError } from "@pipecat-ts/runner-core";
import type { DailyCall, DailyEvent } from "./client.ts";

/** Phone calls of the room. Methods reject with DAILY_CALL_FAILED and Daily's text. */
export interface PhoneCalls {
  /**
   * Calls a phone or a SIP address. Resolves with the session id of the phone call. Requires a room with `enable_dialout` and
   * an owner's token. https://docs.daily.co/reference/daily-js/instance-methods/start-dial-out
   */
  startDialout(options: DialoutOptions): Promise<string | undefined>;
  /** Hangs up. Default: the latest dial-out. */
  stopDialout(sessionId?: string): Promise<void>;
  /** Sends keys (`0-9 * # A-D`, up to 20) to a phone. Default: the latest phone call. */
  sendDtmf(tones: string, options?: DtmfOptions): Promise<void>;
  /** Transfers a phone call to a phone, SIP address or room. The call stays with Daily. */
  sipCallTransfer(options: TransferOptions): Promise<void>;
  /** Refers a phone call to another SIP address. The call leaves Daily. */
  sipRefer(options: Pick<TransferOptions, "sessionId" | "toEndPoint">): Promise<void>;
}

/** Whom the room calls: a phone number or a SIP address. */
export interface DialoutOptions {
  readonly phoneNumber?: string;
  readonly sipUri?: string;
  readonly displayName?: string;
  readonly userId?: string;
  /** The id of a phone number of the account. */
  readonly callerId?: string;
  readonly extension?: string;
  readonly waitBeforeExtensionDialSec?: number;
  readonly [option: string]: unknown;
}

/** How keys are sent to a phone call. */
export interface DtmfOptions {
  readonly sessionId?: string;
  readonly method?: "sip-info" | "telephone-event" | "auto";
  readonly digitDurationMs?: number;
}

/** Which call is transferred, and where to. */
export interface TransferOptions {
  /** Default: the latest phone call. */
  readonly sessionId?: string;
  /** A phone number, or `sip:` and an address. */
  readonly toEndPoint: string;
  readonly callerId?: string;
  readonly extension?: string;
  readonly waitBeforeExtensionDialSec?: number;
}

const connectedActions: readonly string[] = ["dialin-connected", "dialout-connected", "dialout-answered"];

/**
 * `event` takes all events of the call, to remember the latest phone call. `refused` is called for a failed dial-out, because
 * Daily rejects and sends no event.
 */
export function createPhoneCalls(
  daily: Pick<DailyCall, "request">,
  refused: (event: DailyEvent) => void,
): { readonly methods: PhoneCalls; event(event: DailyEvent): void } {
  let lastDialout: string | undefined;
  let lastCall: string | undefined;

  function requireCall(sessionId: string | undefined, name: string): string {
    if (sessionId !== undefined) return sessionId;
    throw new RunnerError("DAILY_CALL_FAILED", `The room has no ${name}.`, {
      status: 409,
      fix: "Wait for dialinConnected or dialoutAnswered, or pass a sessionId.",
    });
  }

  return {
    event({ action, sessionId }) {
      if (typeof sessionId === "string" && connectedActions.includes(action)) lastCall = sessionId;
    },
    methods: {
      async startDialout(options) {
        try {
          const { session } = Object(await daily.request("startDialOut", options)) as {
            readonly session?: { readonly sessionId?: string };
          };
          lastDialout = session?.sessionId;
          lastCall = lastDialout ?? lastCall;
          return lastDialout;
        } catch (error) {
          refused({ action: "dialout-error", errorMsg: (error as Error).message });
          throw error;
        }
      },
      async stopDialout(sessionId = lastDialout) {
        await daily.request("stopDialOut", { sessionId: requireCall(sessionId, "dial-out") });
      },
      async sendDtmf(tones, { sessionId = lastCall, ...options } = {}) {
        await daily.request("sendDTMF", { ...options, tones, sessionId: requireCall(sessionId, "phone call") });
      },
      async sipCallTransfer({ sessionId = lastCall, ...options }) {
        await daily.request("sipCallTransfer", { ...options, sessionId: requireCall(sessionId, "phone call") });
      },
      async sipRefer({ sessionId = lastCall, ...options }) {
        await daily.request("sipRefer", { ...options, sessionId: requireCall(sessionId, "phone call") });
      },
    },
  };
}
