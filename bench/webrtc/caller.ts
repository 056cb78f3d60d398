import "./eager-handshake.ts";
import { createPeerCaller, type PeerCaller } from "../../packages/runner-webrtc/src/peer/werift/test/peer-caller.ts";

type Packet = PeerCaller["packets"][number];

/** A caller on the line, and how long that took from its offer on. */
export interface DialledCaller {
  readonly peer: PeerCaller;
  readonly answerMs: number;
  readonly firstAudioMs: number;
  hangUp(): Promise<void>;
}

/** Calls where offers are taken, and resolves when the first packet of the bot's voice is here. `heard` is told of each. */
export async function dial(url: string, heard: (packet: Packet) => void = () => undefined): Promise<DialledCaller> {
  const peer = createPeerCaller();
  peer.onPacket(heard);
  const firstAudio = new Promise<number>((resolve) => peer.onPacket(() => resolve(performance.now())));
  const body = JSON.stringify({ sdp: await peer.offer(), type: "offer", pc_id: null });
  const offeredAt = performance.now();
  const reply = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
  const { sdp } = (await reply.json()) as { sdp: string };
  const answerMs = performance.now() - offeredAt;
  if (!reply.ok) throw new Error(`the offer was answered with ${reply.status}`);
  await peer.accept(sdp);
  const firstAudioMs = (await firstAudio) - offeredAt;
  return {
    peer,
    answerMs,
    firstAudioMs,
    async hangUp() {
      peer.channel?.close();
      await peer.close();
    },
  };
}
