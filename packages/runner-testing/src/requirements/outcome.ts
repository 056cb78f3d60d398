import type { Session } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import type { FakeCaller, TransportAdapter } from "../adapter.ts";
import type { Puppet, PuppetCall } from "../bots.ts";
import type { Stage } from "../stage.ts";
import { expect, Unmet } from "../unmet.ts";

/** The first call that reached the puppet; waits until its transport is there. */
export async function firstCall(stage: Stage, puppet: Puppet): Promise<PuppetCall> {
  await stage.until("the bot's transport is there", () => puppet.calls.length > 0);
  const [call] = puppet.calls;
  expect(call !== undefined, "the bot has no call");
  return call;
}

/** The one session of a runner. */
export function onlySession(runner: Runner): Session {
  const [session, ...others] = runner.sessions;
  expect(session !== undefined && others.length === 0, `the runner has ${others.length + (session ? 1 : 0)} sessions`);
  return session;
}

/** Waits until the runner has no session left, started or live. */
export async function allEnded(stage: Stage, runner: Runner): Promise<void> {
  const { counts } = runner.sessions;
  await stage
    .until(
      "every session has ended",
      () => runner.sessions.counts.pending + runner.sessions.counts.active === 0,
      lossNoticedMs(stage.adapter),
    )
    .catch((error: unknown) => {
      throw new Unmet(`${error instanceof Error ? error.message : error}: left are ${JSON.stringify(counts)}`);
    });
}

/** A caller is turned away when the attempt fails, or the wire is closed soon. */
export async function expectTurnedAway(stage: Stage, connecting: Promise<FakeCaller>): Promise<void> {
  let caller: FakeCaller;
  try {
    caller = await connecting;
  } catch (error) {
    if (error instanceof Unmet) throw error; // neither let in nor refused
    return;
  }
  await stage.within("the caller is turned away", caller.closed);
}

/** How long the end of a call may take to be noticed, in ms, beside the stage's own patience. */
export function lossNoticedMs({ lossNoticedMs = 2_000 }: TransportAdapter): number {
  return lossNoticedMs;
}
