import type { PeerCaller } from "../../packages/runner-webrtc/src/peer/werift/test/peer-caller.ts";
import type { UdpTransport } from "../../packages/runner-webrtc/src/peer/udp-transport.ts";

/** What a network has done to a caller's packets so far. */
export interface BadNetwork {
  readonly lostPercent: number;
}

/**
 * Has a caller's media packets get lost, or take any time up to `jitterMs` longer, and so overtake each other. Handshakes,
 * checks and data go as before.
 */
export function spoilNetwork(
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

/** RFC 7983 and RFC 5761: the first byte tells media, the second RTP from RTCP. */
function isVoice(data: Buffer): boolean {
  const [first = 0, second = 0] = data;
  return first >= 128 && first < 192 && (second < 192 || second > 223);
}
