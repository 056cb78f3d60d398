/** One WebRTC caller, and a bad network between it and the runner. */
import type { UdpTransport } from "../../packages/runner-webrtc/src/peer/udp-transport.ts";
import { createPeerCaller, type PeerCaller } from "../../packages/runner-webrtc/src/peer/werift/peer-caller.ts";

type Packet = PeerCaller["packets"][number];

/** A connected caller, with the times from its offer, in ms. */
export interface Caller {
  readonly peer: PeerCaller;
  readonly answerMs: number;
  readonly firstAudioMs: number;
  hangUp(): Promise<void>;
}

/** Sends an offer to `url`, and resolves with the first packet of the bot's audio. */
export async function dial(url: string, onPacket: (packet: Packet) => void = () => undefined): Promise<Caller> {
  const peer = createPeerCaller();
  peer.onPacket(onPacket);
  const firstAudio = new Promise<number>((resolve) => peer.onPacket(() => resolve(performance.now())));
  const body = JSON.stringify({ sdp: await peer.offer(), type: "offer", pc_id: null });
  const offeredAt = performance.now();
  const reply = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
  const { sdp } = (await reply.json()) as { sdp: string };
  const answerMs = performance.now() - offeredAt;
  if (!reply.ok) throw new Error(`The offer was answered with ${reply.status}.`);
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

/** What a bad network has done so far. */
export interface BadNetwork {
  readonly lostPercent: number;
}

/** Loses some of a caller's media packets, and delays the others by up to `jitterMs`. Handshakes, checks and data are unchanged. */
export function degradeNetwork(
  peer: PeerCaller,
  { lossPercent, jitterMs }: { readonly lossPercent: number; readonly jitterMs: number },
): BadNetwork {
  let sent = 0;
  let lost = 0;
  for (const { iceTransport } of peer.connection.dtlsTransports) {
    const { protocols } = iceTransport.connection as unknown as { protocols: { transport: UdpTransport }[] };
    for (const { transport } of protocols) {
      const send = transport.send.bind(transport);
      transport.send = async (data, to) => {
        if (!isVoice(data)) return await send(data, to);
        sent += 1;
        if (Math.random() * 100 < lossPercent) lost += 1;
        else setTimeout(() => transport.closed || void send(data, to), Math.random() * jitterMs);
      };
    }
  }
  return {
    get lostPercent() {
      return (100 * lost) / sent;
    },
  };
}

/** RFC 7983 and RFC 5761: the first byte distinguishes media, the second RTP and RTCP. */
function isVoice(data: Buffer): boolean {
  const [first = 0, second = 0] = data;
  return first >= 128 && first < 192 && (second < 192 || second > 223);
}
