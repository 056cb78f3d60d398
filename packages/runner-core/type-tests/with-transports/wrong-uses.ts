/** Wrong code of bots: each line fails to compile for the stated reason. */
import {
  type Bot,
  createTransport,
  type DoctorCheck,
  type MediaPort,
  type RunnerArguments,
  type Session,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import type { PigeonRunnerArguments } from "./transports.ts";

export async function wrongParams(args: RunnerArguments): Promise<void> {
  // @ts-expect-error TS2322 seeds is a number
  await createTransport(args, { pigeon: () => ({ seeds: "three" }) });
  // @ts-expect-error TS2322 the same, in a promise
  await createTransport(args, { pigeon: async () => ({ seeds: "three" }) });
  // @ts-expect-error TS2322 unknown speed
  await createTransport(args, { pigeon: () => ({ speed: "faster" }) });
  // @ts-expect-error TS2322 the param of another transport
  await createTransport(args, { pigeon: () => ({ rhythm: "slow" }) });
  // @ts-expect-error TS2322 the param of another transport next to a correct one
  await createTransport(args, { pigeon: () => ({ audioInEnabled: true, rhythm: "slow" }) });
  // @ts-expect-error TS2322 a misspelled param
  await createTransport(args, { drum: () => ({ audioInEnabled: true, rythm: "slow" }) });
  // @ts-expect-error TS2322 a misspelled param in a promise
  await createTransport(args, { drum: async () => ({ audioInEnabled: true, rythm: "slow" }) });
  // @ts-expect-error TS2322 a misspelled param in one of two results
  await createTransport(args, { drum: () => (args.handleSigint ? { rhythm: "slow" } : { rhythm: "", rythm: "" }) });
  // @ts-expect-error TS2322 a misspelled param of a transport without params of its own
  await createTransport(args, { smoke: () => ({ audioInEnabled: true, audioInRate: 8_000 }) });
  // @ts-expect-error TS2322 a misspelled param alone
  await createTransport(args, { smoke: () => ({ audioRate: 8_000 }) });
  // @ts-expect-error TS2353 params instead of a factory
  await createTransport(args, { pigeon: { seeds: 3 } });
  // @ts-expect-error TS2322 no result
  await createTransport(args, { pigeon: () => undefined });
}

export async function wrongNames(args: RunnerArguments): Promise<void> {
  // @ts-expect-error TS2561 unknown transport
  await createTransport(args, { pidgeon: () => ({}) });
  // @ts-expect-error TS2322 unknown transport, next to a correct one
  await createTransport(args, { pigeon: () => ({}), pidgeon: () => ({}) });
  // @ts-expect-error TS2367 unknown transport
  if (args.transport === "pidgeon") throw new Error();
}

export async function wrongArguments(args: RunnerArguments): Promise<void> {
  // @ts-expect-error TS2339 narrow to pigeon first
  args.loft.town.at(0);
  // @ts-expect-error TS2339 not a field of drum
  if (args.transport === "drum") args.loft.town.at(0);
  // @ts-expect-error TS2540 read-only
  args.sessionId = "mine";
  // @ts-expect-error TS2345 undeclared arguments
  await createTransport({ transport: "pigeon" }, { pigeon: () => ({}) });
  const transport = await createTransport(args, { pigeon: () => ({}) });
  // @ts-expect-error TS2339 narrow to pigeon first
  transport.feed(1);
  // @ts-expect-error TS2345 unknown event
  transport.on("tired", () => undefined);
  // @ts-expect-error TS18046 unknown
  args.body.topic;
}

export function notExhaustive(args: RunnerArguments): never {
  if (args.transport === "pigeon" || args.transport === "drum" || args.transport === "owl") throw new Error();
  // @ts-expect-error TS2322 smoke is missing
  return args;
}

// @ts-expect-error TS2322 a bot must accept the callers of every imported transport
export const tooNarrow: Bot = (args: PigeonRunnerArguments) => args.loft;

export function wrongPlugin(session: Session, port: MediaPort): void {
  // @ts-expect-error TS2345 the arguments of this transport are missing
  session.run<PigeonRunnerArguments>({}, () => port);
  // @ts-expect-error TS2353 the runner adds the name
  session.run<PigeonRunnerArguments>({ loft: { town: "Ulm" }, transport: "pigeon" }, () => port);
  // @ts-expect-error TS2741 the contract version is missing
  const plugin: TransportPlugin = { name: "pigeon", open: () => ({}) };
  plugin.open;
  // @ts-expect-error TS2322 a failed check needs a fix
  const check: DoctorCheck = { name: "loft", run: () => ({ state: "failed", reason: "It is empty." }) };
  check.run;
}
