import { AssertionError } from "node:assert";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { decodeMulaw, encodeMulaw } from "@pipecat-ts/audio";
import { createPlayout, send } from "@pipecat-ts/runner-core/caller";
import { WebSocket } from "ws";
import type { FakeCaller, Invitation, TransportAdapter } from "../../adapter.ts";
import { acme, acmeCompatible, bell, type Dialect, type Json, parseMessage } from "./dialect.ts";
import { createPhonePlugin, sign } from "./plugin.ts";

const numbers = { from: "+15550100", to: "+15550199" };

/** Runs the suite on one carrier; the other carriers share its runner. */
export function createPhoneAdapter(dialect: Dialect): TransportAdapter {
  const others = [acme, acmeCompatible, bell].filter((other) => other !== dialect);
  return {
    plugin: createPhonePlugin(dialect),
    companions: others.map((other) => ({ plugin: createPhonePlugin(other), options: { token: tokenOf(other) } })),
    entry: import.meta.resolve("./plugin.ts"),
    options: { token: tokenOf(dialect) },
    walkIn: "verified",
    messages: false,
    clears: true,
    lossNoticedMs: 500,
    privateTexts: Object.values(numbers),
    connect: (invitation) =>
      callPhone(dialect === bell ? bellFarEnd : acmeFarEnd, tokenOf(dialect), invitation, numbers),
  };
}

/** The secret that a carrier and its plugin share. */
export function tokenOf({ name }: Dialect): string {
  return `the token of ${name}`;
}

/** One carrier's side of the wire. */
export interface FarEnd {
  /** The parameters of its webhook request. */
  webhook(call: FarCall): Readonly<Record<string, string>>;
  readonly webhookMethod: "GET" | "POST";
  /** Its messages before the first audio. */
  announce(call: FarCall): Json[];
  audio(call: FarCall, payload: string): Json;
  /** Its last message, if there is one. */
  stop?(call: FarCall): Json;
  /** What the runner asks for. */
  parse(message: Json): { readonly audio?: string; readonly clear?: true; readonly mark?: string } | undefined;
  played(call: FarCall, mark: string): Json;
}

export interface FarCall {
  readonly callId: string;
  readonly streamId: string;
  readonly from: string;
  readonly to: string;
}

export const acmeFarEnd: FarEnd = {
  webhook: ({ callId, from, to }) => ({ CallSid: callId, From: from, To: to }),
  webhookMethod: "POST",
  announce: ({ streamId, callId }) => [
    { event: "connected", protocol: "Call" },
    {
      event: "start",
      streamSid: streamId,
      start: { streamSid: streamId, callSid: callId, customParameters: { lane: "1" } },
    },
  ],
  audio: ({ streamId }, payload) => ({ event: "media", streamSid: streamId, media: { payload } }),
  stop: ({ streamId }) => ({ event: "stop", streamSid: streamId }),
  parse({ event, media, mark }) {
    if (event === "media") return { audio: String((media as Json).payload) };
    if (event === "mark") return { mark: String((mark as Json).name) };
    return event === "clear" ? { clear: true } : undefined;
  },
  played: ({ streamId }, name) => ({ event: "mark", streamSid: streamId, mark: { name } }),
};

export const bellFarEnd: FarEnd = {
  webhook: ({ callId, from, to }) => ({ call_uuid: callId, From: from, To: to }),
  webhookMethod: "GET",
  announce: ({ streamId, callId, from, to }) => [
    { event: "start", stream_id: streamId, start: { call_uuid: callId, from, to } },
  ],
  audio: ({ streamId }, payload) => ({ event: "media", stream_id: streamId, payload }),
  parse({ event, payload, name }) {
    if (event === "playAudio") return { audio: String(payload) };
    if (event === "checkpoint") return { mark: String(name) };
    return event === "clearAudio" ? { clear: true } : undefined;
  },
  played: (_, name) => ({ event: "played", name }),
};

/** Places a call like the carrier: through its webhook, or to the URL of a start request. */
export async function callPhone(
  farEnd: FarEnd,
  token: string,
  { url, start }: Pick<Invitation, "url" | "start">,
  numbers: Pick<FarCall, "from" | "to">,
): Promise<FakeCaller> {
  const call: FarCall = { callId: `call-${randomUUID()}`, streamId: `stream-${randomUUID()}`, ...numbers };
  const wsUrl = start ? String(start.reply.wsUrl) : await requestWebhook(farEnd, token, url, call);
  const socket = new WebSocket(wsUrl);
  await once(socket, "open"); // rejects when the upgrade is refused
  return createCaller(farEnd, socket, call);
}

async function requestWebhook(farEnd: FarEnd, token: string, url: URL, call: FarCall): Promise<string> {
  const parameters = new URLSearchParams(farEnd.webhook(call)).toString();
  const isGet = farEnd.webhookMethod === "GET";
  const answer = await send(new URL(isGet ? `/?${parameters}` : "/", url), {
    method: farEnd.webhookMethod,
    ...(isGet ? {} : { body: parameters }),
    headers: {
      "x-carrier-signature": sign(token, isGet ? `/?${parameters}` : parameters),
      ...(isGet ? {} : { "content-type": "application/x-www-form-urlencoded" }),
    },
  });
  const found = /<Stream url="([^"]+)"/.exec(answer.text)?.[1];
  const message = `the webhook answered ${answer.status} ${answer.text}`;
  if (answer.status === 429 || answer.status === 503) throw new Error(message);
  if (found === undefined) throw new AssertionError({ message });
  return found;
}

function createCaller(farEnd: FarEnd, socket: WebSocket, call: FarCall): FakeCaller {
  const playout = createPlayout();
  const sendMessage = (message: Json) => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  };
  socket.on("error", () => socket.terminate());
  socket.on("message", (data) => {
    const message = parseMessage(String(data));
    const { audio, clear, mark } = (message && farEnd.parse(message)) ?? {};
    if (audio !== undefined)
      playout.enqueue({ samples: decodeMulaw(Buffer.from(audio, "base64")), sampleRate: 8_000, channels: 1 });
    if (clear) playout.clear();
    if (mark !== undefined) playout.whenPlayed(() => sendMessage(farEnd.played(call, mark)));
  });
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      playout.close();
      resolve();
    });
  });
  for (const message of farEnd.announce(call)) sendMessage(message);
  return {
    sampleRate: 8_000,
    playout,
    closed,
    sendAudio: ({ samples }) => sendMessage(farEnd.audio(call, Buffer.from(encodeMulaw(samples)).toString("base64"))),
    sendRaw: (data) => socket.send(data),
    async hangUp() {
      if (farEnd.stop) sendMessage(farEnd.stop(call));
      socket.close();
      await closed;
    },
    drop: () => socket.terminate(),
  };
}
