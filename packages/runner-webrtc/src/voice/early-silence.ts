import type { Pacer } from "@pipecat-ts/runner-media";

/** The bot's side of the wire before the bot speaks: a caller's client shows a track only once something comes on it. */
export interface EarlySilence {
  /** Sends a packet every 20 ms from now on, unless the voice has begun. */
  begin(): void;
  /** Sends no more. Answers the timestamp that the voice goes on at. */
  end(): number;
}

/** 20 ms of silence: a TOC byte and an empty frame (RFC 6716, section 3.1). */
const packet = Uint8Array.of(0xf8, 0xff, 0xfe);
/** RFC 7587, section 4.1: the RTP clock of Opus counts at 48,000 Hz. */
const packetTicks = 960;

/** `send` puts one packet on the wire. Holds no timer before `begin` and after `end`. */
export function createEarlySilence(pacer: Pacer, send: (payload: Uint8Array, timestamp: number) => void): EarlySilence {
  let timestamp = Math.floor(Math.random() * 2 ** 32);
  let stop: (() => void) | undefined;
  let ended = false;
  return {
    begin() {
      if (ended) return;
      stop ??= pacer.every(20, () => {
        send(packet, timestamp);
        timestamp = (timestamp + packetTicks) >>> 0;
      });
    },
    end() {
      ended = true;
      stop?.();
      return timestamp;
    },
  };
}
