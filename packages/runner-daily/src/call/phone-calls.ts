import { RunnerError } from "@pipecat-ts/runner-core";
import type { DailyCall, DailyEvent } from "./daily-call.ts";

/** Phone calls out of the room, and what can be done with those in it. All reject with DAILY_CALL_FAILED in Daily's words. */
export interface PhoneCalls {
  /**
   * Calls a phone or a SIP address; resolves with the call's session id. Needs a room with `enable_dialout`, and an owner's
   * token. https://docs.daily.co/reference/daily-js/instance-methods/start-dial-out
   */
  startDialout(options: DialoutOptions): Promise<string | undefined>;
  /** Hangs up on a phone: on the one that was called last unless told. */
  stopDialout(sessionId?: string): Promise<void>;
  /** Presses keys (`0-9 * # A-D`, up to 20): towards the phone that came last unless told. */
  sendDtmf(tones: string, options?: DtmfOptions): Promise<void>;
  /** Sends a phone call to another phone, SIP address or room; it stays with Daily. */
  sipCallTransfer(options: TransferOptions): Promise<void>;
  /** Sends a phone call to another SIP address, and out of Daily. */
  sipRefer(options: Pick<TransferOptions, "sessionId" | "toEndPoint">): Promise<void>;
}

export interface DialoutOptions {
  readonly phoneNumber?: string;
  readonly sipUri?: string;
  readonly displayName?: string;
  readonly userId?: string;
  /** The id of a number of the account's. */
  readonly callerId?: string;
  readonly extension?: string;
  readonly waitBeforeExtensionDialSec?: number;
  readonly [option: string]: unknown;
}

export interface DtmfOptions {
  readonly sessionId?: string;
  readonly method?: "sip-info" | "telephone-event" | "auto";
  readonly digitDurationMs?: number;
}

export interface TransferOptions {
  /** Default: the phone that came last. */
  readonly sessionId?: string;
  /** A phone number, or `sip:` and an address. */
  readonly toEndPoint: string;
  readonly callerId?: string;
  readonly extension?: string;
  readonly waitBeforeExtensionDialSec?: number;
}

/** Phone calls, and who remembers which there were. */
export interface PhoneCallsOfRoom extends PhoneCalls {
  /** Learns of phones that come. */
  see(event: DailyEvent): void;
}

const arrivals: readonly string[] = ["dialin-connected", "dialout-connected", "dialout-answered"];

/** `refused` is told of a call that was not made: Daily rejects and sends no event. */
export function createPhoneCalls(
  call: Pick<DailyCall, "request">,
  refused: (event: DailyEvent) => void,
): PhoneCallsOfRoom {
  let lastDialout: string | undefined;
  let lastPhone: string | undefined;

  function known(sessionId: string | undefined, what: string): string {
    if (sessionId !== undefined) return sessionId;
    throw new RunnerError("DAILY_CALL_FAILED", `There is no phone ${what}.`, {
      status: 409,
      fix: "Wait for dialinConnected or dialoutAnswered, or give its sessionId.",
    });
  }

  return {
    see({ action, sessionId }) {
      if (typeof sessionId !== "string") return;
      if (arrivals.includes(action)) lastPhone = sessionId;
    },
    async startDialout(options) {
      try {
        const { session } = Object(await call.request("startDialOut", options)) as {
          readonly session?: { readonly sessionId?: string };
        };
        lastDialout = session?.sessionId;
        lastPhone = lastDialout ?? lastPhone;
        return lastDialout;
      } catch (error) {
        refused({ action: "dialout-error", errorMsg: (error as Error).message });
        throw error;
      }
    },
    async stopDialout(sessionId = lastDialout) {
      await call.request("stopDialOut", { sessionId: known(sessionId, "that was called") });
    },
    async sendDtmf(tones, { sessionId = lastPhone, ...options } = {}) {
      await call.request("sendDTMF", { ...options, tones, sessionId: known(sessionId, "to press keys at") });
    },
    async sipCallTransfer({ sessionId = lastPhone, ...options }) {
      await call.request("sipCallTransfer", { ...options, sessionId: known(sessionId, "to transfer") });
    },
    async sipRefer({ sessionId = lastPhone, ...options }) {
      await call.request("sipRefer", { ...options, sessionId: known(sessionId, "to refer") });
    },
  };
}
