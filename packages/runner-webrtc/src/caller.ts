import { withTimeout } from "@pipecat-ts/runner-core";
import {
  type CallEnd,
  type Caller,
  type CallInvitation,
  callRejected,
  createPlayout,
  send,
} from "@pipecat-ts/runner-core/caller";
import { createInbox } from "./inbox.ts";
import { createPeerCaller, type PeerCaller, type PeerCallerOptions } from "./peer/werift/peer-caller.ts";
import { loadOpus } from "./voice/opus.ts";

/** A caller that behaves on the wire like Pipecat's JavaScript client, with werift. */
export interface WebRTCCaller extends Caller {
  readonly peer: PeerCaller;
  /** The `pc_id` of its answer. */
  readonly pcId: string;
  /** The URL for its offers. */
  readonly endpoint: URL;
  readonly messages: unknown[];
  /** Received messages that are not app messages. */
  readonly signals: readonly unknown[];
  readonly protocolErrors: readonly string[];
  sendMessage(message: unknown): void;
  /** Sends text or bytes unchanged. */
  sendRaw(data: string | Uint8Array): void;
}

/** The answer to an offer. */
export interface Answer {
  readonly sdp: string;
  readonly type: "answer";
  readonly pc_id: string;
}

const sampleRate = 48_000;
const connectMs = 30_000;
const goodbyeMs = 1_000;

/** Sends an offer and returns its answer. Rejects when the runner rejects it. */
export async function sendOffer(
  endpoint: URL,
  offer: Readonly<Record<string, unknown>>,
  key?: string,
): Promise<Answer> {
  const body = { type: "offer", pc_id: null, restart_pc: false, ...offer };
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const { status, text, json } = await send(endpoint, { method: "POST", body, headers });
  if (status !== 200) throw callRejected({ status, text });
  return json as Answer;
}

/** The URL for the offers of a caller, with or without a reply of `/start`. */
export function endpointOf({ url, start }: Pick<CallInvitation, "url" | "start">): URL {
  const path = start === undefined ? "/api/offer" : `/sessions/${start.sessionId}/api/offer`;
  return new URL(url.href.replace(/\/$/, "") + path);
}

/** Closes the data channel and waits until the runner has confirmed it: the process may exit afterwards. */
async function closeChannel(channel: PeerCaller["channel"]): Promise<void> {
  if (!channel) return;
  const confirmed = new Promise<void>((resolve) => {
    channel.stateChange.subscribe((state) => state === "closed" && resolve());
  });
  channel.close();
  await withTimeout(confirmed, goodbyeMs);
}

/** Connects, with the API key if there is one, and resolves when media and data flow. Rejects, and leaves nothing open, when the offer is rejected. */
export async function connectCaller(
  endpoint: URL,
  fields: Readonly<Record<string, unknown>> = {},
  key?: string,
  calling: PeerCallerOptions = {},
): Promise<WebRTCCaller> {
  const peer = createPeerCaller(calling);
  const opus = await loadOpus();
  const [encoder, decoder] = [await opus.createEncoder({ sampleRate }), await opus.createDecoder({ sampleRate })];
  const playout = createPlayout();
  const inbox = createInbox();
  let hasLeft = false;
  let pings: NodeJS.Timeout | undefined;
  const { promise: closed, resolve } = Promise.withResolvers<CallEnd>();

  async function leave(end: CallEnd = { reason: "" }): Promise<void> {
    // Closing the peer also changes the state of its connection: the first reason counts.
    if (hasLeft) return void (await closed);
    hasLeft = true;
    clearInterval(pings);
    playout.close();
    await peer.close();
    encoder.free();
    decoder.free();
    resolve(end);
  }

  peer.onPacket((packet) => {
    const samples = decoder.decode(packet.payload);
    if (samples) playout.enqueue({ samples, sampleRate, channels: 1 });
  });
  peer.onText((text) => {
    // The default of the real client.
    if (inbox.receive(text) === "peerLeft") void leave({ reason: "peerLeft" });
  });
  function sendData(data: string | Buffer): void {
    if (peer.channel?.readyState === "open") peer.channel.send(data);
  }

  let answer: Answer;
  try {
    answer = await sendOffer(endpoint, { sdp: await peer.offer(), ...fields }, key);
    await peer.accept(answer.sdp);
    await peer.connected(connectMs);
  } catch (error) {
    await leave();
    throw error;
  }
  // The real client sends one per second. Runners may be set to notice the loss of a caller within one.
  if (!hasLeft) pings = setInterval(() => sendData(`ping: ${Date.now()}`), 250);
  peer.connection.connectionStateChange.subscribe((state) => {
    if (state === "closed" || state === "failed") void leave({ reason: `connection ${state}`, lost: true });
  });

  return {
    sampleRate,
    peer,
    pcId: answer.pc_id,
    endpoint,
    playout,
    messages: inbox.messages,
    signals: inbox.signals,
    protocolErrors: inbox.protocolErrors,
    closed,
    sendAudio(frame) {
      if (!hasLeft) peer.sendAudio(encoder.encode(frame.samples));
    },
    sendMessage: (message) => sendData(JSON.stringify(message)),
    sendRaw: (data) => sendData(typeof data === "string" ? data : Buffer.from(data)),
    async hangUp() {
      if (!hasLeft) await closeChannel(peer.channel);
      await leave();
    },
    drop() {
      peer.cut();
      void leave();
    },
  };
}
