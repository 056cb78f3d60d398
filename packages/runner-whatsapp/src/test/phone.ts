import { createPlayout, type Playout, until } from "@pipecat-ts/runner-testing";
import { onTestFinished } from "vitest";
import { createPeerCaller, type PeerCaller } from "../../../runner-webrtc/src/peer/werift/test/peer-caller.ts";
import { loadOpus } from "../../../runner-webrtc/src/voice/opus.ts";
import type { FakeGraph, GraphRequest } from "./fake-graph.ts";
import { connectOf, newCallId, post, terminateOf } from "./webhooks.ts";

/** For tests: somebody who calls a business on WhatsApp, media server and all. */
export interface Phone {
  readonly callId: string;
  readonly peer: PeerCaller;
  readonly playout: Playout;
  readonly sampleRate: number;
  /** Has the webhook sent that tells of the call. */
  ring(): Promise<void>;
  /** Resolves when the call was accepted and media can flow. */
  answered(): Promise<void>;
  speak(samples: Int16Array): void;
  /** Has the webhook sent that tells of the end. */
  hangUp(): Promise<void>;
  /** Leaves nothing of it open. Twice is once; the end of the test does it, too. */
  putAway(): Promise<void>;
}

const sampleRate = 48_000;
const patienceMs = 20_000;

/**
 * A phone that is put away with the test. Its side is that of WhatsApp's media server: ICE lite, a padded password, voice
 * alone; it applies the answer of `pre_accept` as that comes, unless it is not `reachable`.
 */
export async function createPhone(
  runner: { readonly url: URL },
  graph: FakeGraph,
  { reachable = true }: { readonly reachable?: boolean } = {},
): Promise<Phone> {
  const callId = newCallId();
  const peer = createPeerCaller({ iceLite: true, dataChannel: false, payloadType: 111 });
  for (const { connection } of peer.connection.iceTransports) pad(connection);
  const opus = await loadOpus();
  const [encoder, decoder] = [await opus.createEncoder({ sampleRate }), await opus.createDecoder({ sampleRate })];
  const playout = createPlayout();
  const offer = await peer.offer();
  if (!/^a=ice-pwd:\S+==\r?$/m.test(offer)) throw new Error("the password is not padded as WhatsApp's are");
  peer.onPacket(({ payload }) => {
    const samples = decoder.decode(payload);
    if (samples) playout.enqueue({ samples, sampleRate, channels: 1 });
  });
  async function putAway(): Promise<void> {
    playout.close();
    await peer.close();
    encoder.free();
    decoder.free();
  }
  onTestFinished(putAway);

  const own = (): GraphRequest[] => graph.requests.filter(({ body }) => body.call_id === callId);
  async function told(what: object): Promise<void> {
    const { status, text } = await post(runner, what);
    if (status !== 200) throw new Error(`the webhook was answered ${status} ${text}`);
  }

  return {
    callId,
    peer,
    playout,
    sampleRate,
    speak: (samples) => peer.sendAudio(encoder.encode(samples)),
    async ring() {
      await told(connectOf(callId, offer));
      await until("the call is pre-accepted", () => own().length > 0, patienceMs);
      const answer = own()[0]?.body.session?.sdp;
      if (reachable && answer !== undefined) await peer.accept(answer);
    },
    async answered() {
      await peer.connected(patienceMs);
      await until("the call is accepted", () => own().some(({ body }) => body.action === "accept"), patienceMs);
    },
    hangUp: () => told(terminateOf(callId)),
    putAway,
  };
}

/** The engine knows its password in two places. */
function pad(connection: unknown): void {
  const ice = connection as { localPassword: string; localUsername: string; userHistory: Record<string, string> };
  ice.localPassword = "AbCdEfGhIjKlMnOpQrStUv==";
  ice.userHistory[ice.localUsername] = ice.localPassword;
}
