import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { decodeMulaw, encodeMulaw } from "@pipecat-ts/audio";
import { WebSocket } from "ws";
import type { FakeCaller, Invitation } from "../../adapter.ts";
import { send } from "../../http.ts";
import { createSpeaker } from "../../speaker.ts";
import { Unmet } from "../../unmet.ts";
import { type Json, parseMessage } from "./dialect.ts";
import { sign } from "./webhook.ts";

/** How the far side of one carrier talks. */
export interface FarDialect {
  /** The parameters of its webhook request. */
  webhook(call: FarCall): Readonly<Record<string, string>>;
  readonly webhookMethod: "GET" | "POST";
  /** What it says before the first audio. */
  announce(call: FarCall): Json[];
  audio(call: FarCall, payload: string): Json;
  /** What it says when the phone is put down, if anything. */
  stop?(call: FarCall): Json;
  /** What the runner asks of it. */
  recognise(message: Json): { readonly audio?: string; readonly clear?: true; readonly mark?: string } | undefined;
  played(call: FarCall, mark: string): Json;
}

export interface FarCall {
  readonly callId: string;
  readonly streamId: string;
  readonly from: string;
  readonly to: string;
}

export const farAcme: FarDialect = {
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
  recognise({ event, media, mark }) {
    if (event === "media") return { audio: String((media as Json).payload) };
    if (event === "mark") return { mark: String((mark as Json).name) };
    return event === "clear" ? { clear: true } : undefined;
  },
  played: ({ streamId }, name) => ({ event: "mark", streamSid: streamId, mark: { name } }),
};

export const farBell: FarDialect = {
  webhook: ({ callId, from, to }) => ({ call_uuid: callId, From: from, To: to }),
  webhookMethod: "GET",
  announce: ({ streamId, callId, from, to }) => [
    { event: "start", stream_id: streamId, start: { call_uuid: callId, from, to } },
  ],
  audio: ({ streamId }, payload) => ({ event: "media", stream_id: streamId, payload }),
  recognise({ event, payload, name }) {
    if (event === "playAudio") return { audio: String(payload) };
    if (event === "checkpoint") return { mark: String(name) };
    return event === "clearAudio" ? { clear: true } : undefined;
  },
  played: (_, name) => ({ event: "played", name }),
};

/** Places a call as the carrier does: by its webhook, or to the URL that a start request answered. */
export async function callByPhone(
  dialect: FarDialect,
  token: string,
  { url, start }: Invitation,
  numbers: Pick<FarCall, "from" | "to">,
): Promise<FakeCaller> {
  const call: FarCall = { callId: `call-${randomUUID()}`, streamId: `stream-${randomUUID()}`, ...numbers };
  const wsUrl = start ? String(start.reply.wsUrl) : await askWebhook(dialect, token, url, call);
  const socket = new WebSocket(wsUrl);
  await once(socket, "open"); // rejects with the refusal
  return createCaller(dialect, socket, call);
}

async function askWebhook(dialect: FarDialect, token: string, url: URL, call: FarCall): Promise<string> {
  const parameters = new URLSearchParams(dialect.webhook(call)).toString();
  const isGet = dialect.webhookMethod === "GET";
  const answer = await send(new URL(isGet ? `/?${parameters}` : "/", url), {
    method: dialect.webhookMethod,
    ...(isGet ? {} : { body: parameters }),
    headers: {
      "x-carrier-signature": sign(token, isGet ? `/?${parameters}` : parameters),
      ...(isGet ? {} : { "content-type": "application/x-www-form-urlencoded" }),
    },
  });
  const found = /<Stream url="([^"]+)"/.exec(answer.text)?.[1];
  if (answer.status === 429 || answer.status === 503) throw new Error(`the webhook was answered ${answer.status}`);
  if (found === undefined) throw new Unmet(`the webhook was answered ${answer.status} ${answer.text}`);
  return found;
}

function createCaller(dialect: FarDialect, socket: WebSocket, call: FarCall): FakeCaller {
  const speaker = createSpeaker();
  const say = (message: Json) => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  };
  socket.on("error", () => socket.terminate());
  socket.on("message", (data) => {
    const message = parseMessage(String(data));
    const { audio, clear, mark } = (message && dialect.recognise(message)) ?? {};
    if (audio !== undefined)
      speaker.play({ samples: decodeMulaw(Buffer.from(audio, "base64")), sampleRate: 8_000, channels: 1 });
    if (clear) speaker.clear();
    if (mark !== undefined) speaker.whenPlayed(() => say(dialect.played(call, mark)));
  });
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      speaker.close();
      resolve();
    });
  });
  for (const message of dialect.announce(call)) say(message);
  return {
    sampleRate: 8_000,
    speaker,
    closed,
    speak: ({ samples }) => say(dialect.audio(call, Buffer.from(encodeMulaw(samples)).toString("base64"))),
    async hangUp() {
      if (dialect.stop) say(dialect.stop(call));
      socket.close();
      await closed;
    },
    drop: () => socket.terminate(),
  };
}
