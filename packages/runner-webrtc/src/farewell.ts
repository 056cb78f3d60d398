import { isRunnerError } from "@pipecat-ts/runner-core";
import type { Clock } from "@pipecat-ts/runner-media";
import type { Peers } from "./peers.ts";

/** Tells a caller who leaves from one who closes its channel or peer only to come back with another. */
export interface Farewell {
  /** As `Peers.answer`, with an eye on whether the caller is coming back. */
  answer: Peers["answer"];
  /** The caller closed the data channel or the peer that counts. */
  said(): void;
}

/** What it goes by. */
export interface FarewellOptions {
  readonly peers: Pick<Peers, "pcId" | "open" | "current" | "answer">;
  readonly clock: Pick<Clock, "now">;
  /** Waits, unless the call is over before. */
  after(delayMs: number, act: () => void): void;
  /** The caller has left, and is not on its way back. May be called again. */
  left(): void;
}

/** How long one who closed its channel or peer is waited for. */
const waitMs = 500;
/** How long after a refusal for now a goodbye is none. The published client closes the peer it has at once, and offers again 2 s later. */
const triesAgainMs = 2_500;

/**
 * A caller has left when nothing of it is under way some time after its goodbye. One whose offer of a new peer was refused for
 * now says goodbye to the old one all the same (small-webrtc-transport 1.10.8): should it not try again, it is missed by its
 * silence.
 */
export function createFarewell({ peers, clock, after, left }: FarewellOptions): Farewell {
  let answersUnderWay = 0;
  let refusedAtMs = Number.NEGATIVE_INFINITY;

  function wait(pcId: string): void {
    after(waitMs, () => {
      // The peer that came in its place may need longer to connect. It is watched as the one before was.
      if (peers.pcId !== pcId) return;
      if (peers.open && peers.current?.state !== "closed") return;
      if (answersUnderWay > 0) wait(pcId);
      else if (clock.now() - refusedAtMs > triesAgainMs) left();
    });
  }

  return {
    async answer(offer) {
      answersUnderWay += 1;
      try {
        return await peers.answer(offer);
      } catch (error) {
        const forGood = isRunnerError(error) && error.status < 500;
        if (offer.restart === true && !forGood) refusedAtMs = clock.now();
        throw error;
      } finally {
        answersUnderWay -= 1;
      }
    },
    said: () => wait(peers.pcId),
  };
}
