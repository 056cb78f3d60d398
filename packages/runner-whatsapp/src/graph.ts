import { RunnerError } from "@pipecat-ts/runner-core";
import Type, { type TSchema } from "typebox";
import { Check } from "typebox/value";
import type { CallConnect } from "./messages.ts";

/**
 * What the business does with a call, by WhatsApp's Graph API
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/calling/reference). Each resolves when it is done there, and
 * rejects with WHATSAPP_REFUSED, or WHATSAPP_UNREACHABLE when it is not known whether it is. No error has a number, a
 * call's id or the token in it.
 */
export interface Graph {
  /** Lets the connection be made while the caller's phone still rings. */
  preAccept(call: CallConnect, answerSdp: string): Promise<void>;
  /** Takes the call. The answer must be that of `preAccept`. */
  accept(call: CallConnect, answerSdp: string): Promise<void>;
  /** Refuses a call that was not accepted. */
  reject(call: CallConnect): Promise<void>;
  /** Hangs up. */
  terminate(call: CallConnect): Promise<void>;
  /** Gives up what is under way, which rejects. */
  close(): void;
}

/** What requests are made with. */
export interface GraphOptions {
  readonly apiUrl: string;
  readonly phoneNumberId: string;
  readonly token: string;
  /** How long an answer may take, in ms. Default 5,000: a phone rings for half a minute. */
  readonly timeoutMs?: number;
}

const success: TSchema = Type.Object({ success: Type.Literal(true) });

const refusal: TSchema = Type.Object({
  error: Type.Object({
    message: Type.Optional(Type.String()),
    code: Type.Optional(Type.Number()),
    error_subcode: Type.Optional(Type.Number()),
    error_data: Type.Optional(Type.Object({ details: Type.Optional(Type.String()) })),
  }),
});

interface Refusal {
  readonly error: {
    readonly message?: string;
    readonly code?: number;
    readonly error_subcode?: number;
    readonly error_data?: { readonly details?: string };
  };
}

export function createGraph({ apiUrl, phoneNumberId, token, timeoutMs = 5_000 }: GraphOptions): Graph {
  const url = `${apiUrl.replace(/\/+$/, "")}/${encodeURIComponent(phoneNumberId)}/calls`;
  const closing = new AbortController();

  async function act(action: string, { callId }: CallConnect, more: object = {}): Promise<void> {
    const { status, text } = await post(action, { messaging_product: "whatsapp", action, call_id: callId, ...more });
    if (status < 300 && Check(success, parse(text))) return;
    throw new RunnerError("WHATSAPP_REFUSED", `WhatsApp refused to ${action} a call: ${status}${explain(text)}.`, {
      status: 502,
      fix: "See https://developers.facebook.com/docs/whatsapp/cloud-api/calling/troubleshooting for the code.",
    });
  }

  async function post(action: string, body: object): Promise<{ readonly status: number; readonly text: string }> {
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
        // The token is for this host alone.
        redirect: "error",
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), closing.signal]),
      });
      return { status: response.status, text: await response.text() };
    } catch (cause) {
      throw new RunnerError("WHATSAPP_UNREACHABLE", `WhatsApp did not answer a request to ${action} a call.`, {
        status: 504,
        fix: "Check that this machine reaches WHATSAPP_API_URL.",
        cause,
      });
    }
  }

  const answer = (call: CallConnect, sdp: string): object => ({
    to: call.call.from,
    session: { sdp_type: "answer", sdp },
  });
  return {
    preAccept: (call, sdp) => act("pre_accept", call, answer(call, sdp)),
    accept: (call, sdp) => act("accept", call, answer(call, sdp)),
    reject: (call) => act("reject", call),
    terminate: (call) => act("terminate", call),
    close: () => closing.abort(),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no success, and nothing to explain
  }
}

/** What Graph says of a refusal, without what may be a number or a call's id. */
function explain(text: string): string {
  const body = parse(text);
  if (!Check(refusal, body)) return "";
  const { code, error_subcode, message, error_data } = (body as Refusal).error;
  const codes = [code, error_subcode].filter((each) => each !== undefined).join("/");
  const words = [message, error_data?.details].filter((each) => each !== undefined && each !== "").join(": ");
  const shown = words.replaceAll(/wacid\.\S+|\+?\d[\d\s().-]{4,}\d/g, "…").slice(0, 300);
  return `${codes === "" ? "" : `, code ${codes}`}${shown === "" ? "" : `, "${shown}"`}`;
}
