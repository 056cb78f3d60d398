import { randomUUID } from "node:crypto";
import { send } from "./http.ts";
import { type FakeApi, openFakeApi } from "./phone-api.ts";
import { type CallOptions, openCall, type PhoneCall } from "./phone-call.ts";
import type { CallFacts, PhoneDialect } from "./phone-dialect.ts";

/** A carrier on this machine: places calls over the real routes, as the real one does. */
export interface FakeCarrier {
  /**
   * Asks the webhook, opens the socket that its answer names, and announces the call. Rejects, with nothing left open,
   * when the call is turned away.
   */
  call(options: CallOptions): Promise<PhoneCall>;
  /** Opens its REST API, by which calls are hung up as the real carrier does: with its last message, then the socket. */
  openApi(): Promise<FakeApi>;
}

/** A carrier that speaks `dialect`. */
export function createFakeCarrier(dialect: PhoneDialect): FakeCarrier {
  const calls = new Map<string, PhoneCall>();

  return {
    async call(options) {
      const { at, publicUrl = at, socketUrl, from = "+15550100", to = "+15550199" } = options;
      const callId = options.callId ?? `call-${randomUUID()}`;
      const facts: CallFacts = { callId, streamId: `stream-${randomUUID()}`, from, to, document: "" };
      const reach = (url: URL) => reachedAt(url, publicUrl, at);
      const answered = socketUrl === undefined ? await askWebhook(facts, options, publicUrl, reach) : undefined;
      const url = new URL(socketUrl ?? answered?.socketUrl ?? bareSocket(publicUrl));
      const headers = dialect.upgradeHeaders?.(url) ?? {};
      const known = { ...facts, document: answered?.document ?? "" };
      const call = await openCall(dialect, known, reach(url), headers, options);
      calls.set(callId, call);
      void call.closed.then(() => calls.get(callId) === call && calls.delete(callId));
      return call;
    },
    openApi() {
      return openFakeApi((request) => {
        const reply = dialect.api?.({ ...request, isLive: (callId) => calls.has(callId) });
        const call = reply?.ends === undefined ? undefined : calls.get(reply.ends);
        if (call) void call.hangUp();
        return reply ?? { status: 404 };
      });
    },
  };

  async function askWebhook(facts: CallFacts, options: CallOptions, publicUrl: URL, reach: (url: URL) => URL) {
    if (!dialect.webhook || !dialect.socketUrl) return undefined;
    const { path = `/${dialect.name}` } = options;
    const asked = dialect.webhook(facts, new URL(`${publicUrl.href.replace(/\/$/, "")}${path}`));
    const answer = await send(reach(asked.url), {
      method: asked.method,
      ...(asked.body === undefined ? {} : { body: asked.body }),
      ...(asked.headers ? { headers: asked.headers } : {}),
    });
    if (answer.status !== 200) throw new Error(`the webhook was answered ${answer.status} ${answer.text}`);
    return { socketUrl: dialect.socketUrl(answer), document: answer.text };
  }
}

function bareSocket(base: URL): URL {
  const url = new URL(`${base.href.replace(/\/$/, "")}/ws`);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** The address on this machine of what the carrier knows by a public URL. */
function reachedAt(url: URL, publicUrl: URL, at: URL): URL {
  if (url.host !== publicUrl.host || publicUrl.host === at.host) return url;
  const scheme = /^ws/.test(url.protocol) ? "ws:" : "http:";
  return new URL(
    `${scheme}//${at.host}${url.href.slice(url.origin === "null" ? `${url.protocol}//${url.host}`.length : url.origin.length)}`,
  );
}
