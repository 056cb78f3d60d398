/** What a bot may not write: each line is refused, for the reason given. */
import { type Bot, createTransport, type RunnerArguments } from "@pipecat-ts/runner-core";
import type { PigeonRunnerArguments } from "./arms.ts";

export async function wrongParams(args: RunnerArguments): Promise<void> {
  // @ts-expect-error TS2322 seeds is a number
  await createTransport(args, { pigeon: () => ({ seeds: "three" }) });
  // @ts-expect-error TS2322 the same, promised
  await createTransport(args, { pigeon: async () => ({ seeds: "three" }) });
  // @ts-expect-error TS2322 no such speed
  await createTransport(args, { pigeon: () => ({ speed: "faster" }) });
  // @ts-expect-error TS2322 the param of another transport
  await createTransport(args, { pigeon: () => ({ rhythm: "slow" }) });
  // @ts-expect-error TS2322 the param of another transport beside a right one
  await createTransport(args, { pigeon: () => ({ audioInEnabled: true, rhythm: "slow" }) });
  // @ts-expect-error TS2322 a misspelt param
  await createTransport(args, { drum: () => ({ audioInEnabled: true, rythm: "slow" }) });
  // @ts-expect-error TS2322 a misspelt param, promised
  await createTransport(args, { drum: async () => ({ audioInEnabled: true, rythm: "slow" }) });
  // @ts-expect-error TS2322 a misspelt param in one of two results
  await createTransport(args, { drum: () => (args.handleSigint ? { rhythm: "slow" } : { rhythm: "", rythm: "" }) });
  // @ts-expect-error TS2322 a misspelt param of a transport without params of its own
  await createTransport(args, { smoke: () => ({ audioInEnabled: true, audioInRate: 8_000 }) });
  // @ts-expect-error TS2353 params instead of what makes them
  await createTransport(args, { pigeon: { seeds: 3 } });
  // @ts-expect-error TS2322 nothing returned
  await createTransport(args, { pigeon: () => undefined });
}

export async function wrongNames(args: RunnerArguments): Promise<void> {
  // @ts-expect-error TS2561 no such transport
  await createTransport(args, { pidgeon: () => ({}) });
  // @ts-expect-error TS2322 no such transport, beside a right one
  await createTransport(args, { pigeon: () => ({}), pidgeon: () => ({}) });
  // @ts-expect-error TS2367 no such transport
  if (args.transport === "pidgeon") throw new Error();
}

export async function wrongArguments(args: RunnerArguments): Promise<void> {
  // @ts-expect-error TS2339 only a pigeon has a loft: narrow first
  args.loft.town.at(0);
  // @ts-expect-error TS2339 not on this arm
  if (args.transport === "drum") args.loft.town.at(0);
  // @ts-expect-error TS2540 arguments do not change
  args.sessionId = "mine";
  // @ts-expect-error TS2345 arguments that no transport declares
  await createTransport({ transport: "pigeon" }, { pigeon: () => ({}) });
  const transport = await createTransport(args, { pigeon: () => ({}) });
  // @ts-expect-error TS2339 only a pigeon can be fed: narrow first
  transport.feed(1);
  // @ts-expect-error TS2345 no such event
  transport.on("tired", () => undefined);
  // @ts-expect-error TS18046 what is unknown has to be looked at
  args.body.topic;
}

export function notExhaustive(args: RunnerArguments): never {
  if (args.transport === "pigeon" || args.transport === "drum" || args.transport === "owl") throw new Error();
  // @ts-expect-error TS2322 smoke is left
  return args;
}

// @ts-expect-error TS2322 a bot has to take callers of every imported transport
export const tooNarrow: Bot = (args: PigeonRunnerArguments) => args.loft;
