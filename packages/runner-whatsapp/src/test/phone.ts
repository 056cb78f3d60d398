import { createPlayout, type Playout, until } from "@pipecat-ts/runner-testing";
import { onTestFinished } from "vitest";
import { createPeerCaller, type PeerCaller } from "../../../runner-webrtc/src/peer/werift/peer-caller.ts";
import { loadOpus } from "../../../runner-webrtc/src/voice/opus.ts";
import type { ApiRequest, FakeApi } from "./fake-api.ts";
import { connectOf, newCallId, post, terminateOf } from "./webhooks.ts";

/** For tests: a person who calls the business, together with WhatsApp's media server. */
export interface Phone {
  readonly callId: string;
  readonly peer: PeerCaller;
  readonly playout: Playout;
  readonly sampleRate: number;
  /** Sends the webhook for the call, and applies the answer of `pre_accept`. */
  ring(): Promise<void>;
  /** Resolves when the call is accepted and media can flow. */
  answered(): Promise<void>;
  speak(samples: Int16Array): void;
  /** Sends the webhook for the end of the call. */
  hangUp(): Promise<void>;
  /** Closes everything. Happens after the test as well. */
  close(): Promise<void>;
}

const sampleRate = 48_000;
const timeoutMs = 20_000;

/**
 * Behaves like WhatsApp's media server: ICE lite, a padded password, audio only. With `reachable: false` it ignores the answer,
 * so that no connection is established.
 */
export async function createPhone(
  runner: { readonly url: URL },
  api: FakeApi,
  { reachable = true }: { readonly reachable?: boolean } = {},
): Promise<Phone> {
  const callId = newCallId();
  const peer = createPeerCaller({ iceLite: true, dataChannel: false, payloadType: 111 });
  for (const { connection } of peer.connection.iceTransports) pad(connection);
  const opus = await loadOpus();
  const [encoder, decoder] = [await opus.createEncoder({ sampleRate }), await opus.createDecoder({ sampleRate })];
  const playout = createPlayout();
  const offer = await peer.offer();
  if (!/^a=ice-pwd:\S+==\r?$/m.test(offer)) throw new Error("the password is not padded like those of WhatsApp");
  peer.onPacket(({ payload }) => {
    const samples = decoder.decode(payload);
    if (samples) playout.enqueue({ samples, sampleRate, channels: 1 });
  });
  async function close(): Promise<void> {
    playout.close();
    await peer.close();
    encoder.free();
    decoder.free();
  }
  onTestFinished(close);

  const requests = (): ApiRequest[] => api.requests.filter(({ body }) => body.call_id === callId);
  async function sendWebhook(webhook: object): Promise<void> {
    const { status, text } = await post(runner, webhook);
    if (status !== 200) throw new Error(`the webhook got ${status} ${text}`);
  }

  return {
    callId,
    peer,
    playout,
    sampleRate,
    speak: (samples) => peer.sendAudio(encoder.encode(samples)),
    async ring() {
      await sendWebhook(connectOf(callId, offer));
      await until("the call is pre-accepted", () => requests().length > 0, timeoutMs);
      const answer = requests()[0]?.body.session?.sdp;
      if (reachable && answer !== undefined) await peer.accept(answer);
    },
    async answered() {
      await peer.connected(timeoutMs);
      await until("the call is accepted", () => requests().some(({ body }) => body.action === "accept"), timeoutMs);
    },
    hangUp: () => sendWebhook(terminateOf(callId)),
    close,
  };
}

/** Pads the ICE password, which werift keeps in two places. */
function pad(connection: unknown): void {
  const ice = connection as { localPassword: string; localUsername: string; userHistory: Record<string, string> };
  ice.localPassword = "AbCdEfGhIjKlMnOpQrStUv==";
  ice.userHistory[ice.localUsername] = ice.localPassword;
}
