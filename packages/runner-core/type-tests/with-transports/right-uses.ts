/** Code of bots that import transports: all of it compiles, and each type is exact. */
import {
  type Bot,
  type Call,
  createTransport,
  type DoctorContext,
  type MediaPort,
  type ParamsOf,
  type RunnerArguments,
  type Session,
  type SessionArguments,
  type Transport,
  type TransportFactories,
  type TransportName,
  type TransportOf,
  type TransportParams,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import { sameType } from "../same-type.ts";
import type {
  DrumParams,
  DrumRunnerArguments,
  HornEvents,
  HornRunnerArguments,
  OwlRunnerArguments,
  PigeonParams,
  PigeonRunnerArguments,
  PigeonTransport,
  SmokeRunnerArguments,
} from "./transports.ts";

sameType<TransportName, "pigeon" | "drum" | "owl" | "horn" | "smoke">();
sameType<
  RunnerArguments,
  PigeonRunnerArguments | DrumRunnerArguments | OwlRunnerArguments | HornRunnerArguments | SmokeRunnerArguments
>();
sameType<ParamsOf<"pigeon">, PigeonParams>();
sameType<ParamsOf<"drum">, DrumParams>();
sameType<ParamsOf<"smoke">, TransportParams>();
sameType<TransportOf<"pigeon">, PigeonTransport>();
sameType<TransportOf<"drum">, Transport>();
sameType<TransportOf<"pigeon" | "owl">, PigeonTransport>();
sameType<TransportOf<"pigeon" | "owl" | "drum">, Transport>();
sameType<TransportOf<"horn">, Transport<HornEvents>>();
sameType<TransportOf<"horn" | "drum">, Transport>();

export async function bot(args: RunnerArguments): Promise<void> {
  sameType<typeof args.sessionId, string>();
  sameType<typeof args.transport, TransportName>();
  const transport = await createTransport(args, {
    pigeon: () => ({
      audioInEnabled: true,
      seeds: 3,
      speed: "fast",
      onLanding: (town) => sameType<typeof town, string>(),
    }),
    drum: async () => ({ audioOutEnabled: true, rhythm: "slow" }),
    smoke: () => ({}),
  });
  sameType<typeof transport, Transport>();
  transport.on("dtmf", (digit) => sameType<typeof digit, string>());
  await transport.input.pipeTo(transport.output);
}
export const asBot: Bot = bot;
export const asBotOfAll: Bot = (args: SessionArguments) => args.body;

export async function narrowed(args: RunnerArguments): Promise<unknown> {
  switch (args.transport) {
    case "pigeon": {
      sameType<typeof args, PigeonRunnerArguments>();
      const transport = await createTransport(args, { pigeon: () => ({ seeds: 1 }) });
      sameType<typeof transport, PigeonTransport>();
      transport.on("landed", (town, minutes) => sameType<[typeof town, typeof minutes], [string, number]>());
      transport.on("clientDisconnected", (reason) => reason === "caller-left");
      return transport.feed(1);
    }
    case "owl":
      return args.tree;
    case "drum": {
      sameType<typeof args.drummer, string>();
      const transport = await createTransport(args, { drum: () => ({}) });
      sameType<typeof transport, Transport>();
      return transport;
    }
    case "horn":
      return args.tower;
    case "smoke":
      return args.hill;
    default:
      sameType<typeof args, never>();
      return args;
  }
}

export async function heldAndMade(args: RunnerArguments, fromFile: string): Promise<void> {
  const held: TransportFactories = { pigeon: () => ({ seeds: 1 }) };
  await createTransport(args, held);
  await createTransport({ ...args }, { drum: () => JSON.parse(fromFile) });
  await createTransport(args, {
    pigeon() {
      if (fromFile === "") return { audioInEnabled: false };
      return { seeds: 2 };
    },
  });
}

export function asPlugin(session: Session, port: MediaPort): void {
  const call = session.run<PigeonRunnerArguments>({ loft: { town: "Ulm" } }, (params) => {
    sameType<typeof params, PigeonParams>();
    return port;
  });
  sameType<typeof call, Call>();
  const bound = session.bind((town: string) => town.length);
  sameType<typeof bound, (town: string) => void>();
}

export const pigeonPlugin: TransportPlugin<{ readonly seeds: number }> = {
  apiVersion: 1,
  name: "pigeon",
  open: () => ({}),
  advanced: {
    doctor(options, { roundTrip }) {
      sameType<typeof options, { readonly seeds: number }>();
      sameType<typeof roundTrip, DoctorContext["roundTrip"]>();
      return [{ name: "seeds", run: (signal) => ({ state: "passed", detail: `${options.seeds} ${signal.aborted}` }) }];
    },
  },
};
