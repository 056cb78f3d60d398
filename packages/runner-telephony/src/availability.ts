import { type Availability, isReachedByOthers, type RunnerSettings } from "@pipecat-ts/runner-core";
import type { Carrier, CarrierOptions } from "./carrier.ts";
import { webhookProof } from "./guard.ts";

interface Lack {
  readonly reason: string;
  readonly fix: string;
}

/** What a carrier's transport lacks here, with the remedies. It serves calls all the same. */
export function availabilityOf<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): Availability {
  const lacks = [
    lackOfUrl(carrier, settings),
    lackOfControl(carrier, options),
    lackOfProof(carrier, options, settings),
  ].filter((lack) => lack !== undefined);
  if (lacks.length === 0) return { state: "ready" };
  return {
    state: "limited",
    reason: lacks.map(({ reason }) => reason).join(" "),
    fix: [...new Set(lacks.flatMap(({ fix }) => fix || []))].join(" "),
  };
}

function lackOfUrl({ title }: { readonly title: string }, { publicUrl, trustProxy }: RunnerSettings): Lack | undefined {
  if (publicUrl || trustProxy) return undefined;
  return { reason: `${title} cannot reach this server.`, fix: "Start with --proxy <public hostname>." };
}

function lackOfControl<Options extends CarrierOptions>({ api }: Carrier<Options>, options: Options): Lack | undefined {
  if (!api || api.isReady(options)) return undefined;
  return { reason: "Calls end with their socket: they cannot be hung up or transferred.", fix: api.fix };
}

function lackOfProof<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): Lack | undefined {
  const { title } = carrier;
  const { all, fix = "" } = webhookProof(carrier, options, settings);
  if (all === "refused") return { reason: `Calls are refused: nothing proves that they are ${title}'s.`, fix };
  return all === "taken" && isReachedByOthers(settings)
    ? { reason: `Anybody may pretend to be ${title}.`, fix }
    : undefined;
}
