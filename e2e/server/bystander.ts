import type { FakeCaller } from "@pipecat-ts/runner-testing";
import { expect } from "vitest";
import { hearVoice, shareOfVoice, talk } from "./talk.ts";

/** A caller who talks all the time, to whom nothing is to happen. */
export interface Bystander {
  /**
   * Fails unless the caller has heard their own voice for a quarter of the time since they were asked last, and hears it now,
   * at its pitch. A quarter, since this process has more to do than to talk, and the server's memory is measured meanwhile.
   */
  expectVoice(): Promise<void>;
  hangUp(): Promise<void>;
}

/** How much of the immediate past is "now". */
const nowMs = 400;

/** Begins to talk; resolves when the voice comes back. */
export async function startBystander(caller: FakeCaller): Promise<Bystander> {
  const stopTalking = talk(caller);
  await hearVoice(caller, nowMs);
  let askedMs = performance.now();

  return {
    async expectVoice() {
      await hearVoice(caller, nowMs);
      expect(shareOfVoice(caller, Math.min(askedMs, performance.now() - nowMs)), "share of voice").toBeGreaterThan(
        0.25,
      );
      askedMs = performance.now();
    },
    async hangUp() {
      stopTalking();
      await caller.hangUp();
    },
  };
}
