/** Impairments of the packets that carry a caller's audio to the bot. */
export interface NetworkImpairment {
  /** The share of packets that are lost, from 0 to 1. */
  readonly loss: number;
  /** How much later than others a packet may arrive, in ms. Packets may overtake each other. */
  readonly jitterMs: number;
}

/** A network that loses and delays packets. */
export interface ImpairedNetwork {
  /** Sends a packet now, later or never. */
  send(packet: () => void): void;
  /** Drops the packets that are under way. */
  close(): void;
}

/** A network that loses and delays the same packets in every call, so that measurements can be compared. */
export function createImpairedNetwork({ loss, jitterMs }: NetworkImpairment): ImpairedNetwork {
  const underWay = new Set<NodeJS.Timeout>();
  const random = createRandom();
  return {
    send(packet) {
      const isLost = random() < loss;
      const delayMs = random() * jitterMs;
      if (isLost) return;
      if (jitterMs === 0) return packet();
      const timer = setTimeout(() => {
        underWay.delete(timer);
        packet();
      }, delayMs);
      underWay.add(timer);
    },
    close() {
      for (const timer of underWay) clearTimeout(timer);
      underWay.clear();
    },
  };
}

/** Numbers from 0 to 1, the same in each series: the generator "mulberry32". */
function createRandom(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
