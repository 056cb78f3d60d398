import { type HttpRoute, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import { type DialinCall, parseDialin } from "./dialin.ts";
import type { DialinVerification } from "./dialin-verification.ts";
import { pinlessSignatureFault } from "./pinless-signature.ts";

export interface DialinRouteOptions {
  readonly verification: DialinVerification;
  readonly logger: Logger;
  /** Throws when no call can be taken now. */
  requireReady(): void;
  /** Starts the bot of a call and answers what Daily gets. */
  answer(call: DialinCall): Promise<Readonly<Record<string, unknown>>>;
}

/**
 * The webhook that Daily calls when somebody dials a number of the account.
 * https://docs.daily.co/guides/products/dial-in-dial-out/dialin-pinless
 */
export function createDialinRoute(options: DialinRouteOptions): HttpRoute {
  const { verification, logger, requireReady, answer } = options;
  let warned = false;

  function warnOnce(): void {
    if (warned) return;
    warned = true;
    logger.warn(
      "Dial-in webhooks are not checked: whoever reaches this server can start bots. Set DAILY_PINLESS_HMAC_SECRET.",
    );
  }

  return {
    method: "POST",
    path: "/daily-dialin-webhook",
    access: "carrier",
    async handle(ctx) {
      const { rawBody = Buffer.alloc(0) } = ctx.request;
      const call = parseDialin(rawBody);
      // Comes while the webhook is being set up, before there is a secret that it could be signed with.
      if (call === "test") {
        ctx.body = { status: "OK" };
        return;
      }
      if (verification === "refused") throw unverifiable();
      if (verification === "warned") warnOnce();
      if (typeof verification === "object") {
        const signature = ctx.get("x-pinless-signature") || undefined;
        const timestamp = ctx.get("x-pinless-timestamp") || undefined;
        const fault = pinlessSignatureFault({ signature, timestamp, rawBody }, verification.secret, Date.now());
        if (fault !== undefined) throw refused(fault);
      }
      requireReady();
      ctx.body = await answer(call);
    },
  };
}

function refused(fault: string): RunnerError {
  return new RunnerError("DAILY_SIGNATURE_INVALID", `The dial-in webhook is refused: ${fault}.`, {
    status: 401,
    fix: "Daily makes a new secret whenever dial-in is configured without one: set DAILY_PINLESS_HMAC_SECRET to the latest.",
  });
}

function unverifiable(): RunnerError {
  const message = "The dial-in webhook is refused: callers of this server must prove themselves, and it cannot.";
  return new RunnerError("DAILY_SIGNATURE_INVALID", message, {
    status: 401,
    fix: "Set DAILY_PINLESS_HMAC_SECRET (--daily-pinless-hmac-secret) to the secret that Daily signs with. --no-verify-signatures takes calls that nobody signed.",
  });
}
