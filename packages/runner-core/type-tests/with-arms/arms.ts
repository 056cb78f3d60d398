/** Five transports as packages from outside would declare them. */
import type { SessionArguments, Transport, TransportEvents, TransportParams } from "@pipecat-ts/runner-core";

/** Brings an arm, params of its own, and a transport that can do more. */
export interface PigeonRunnerArguments extends SessionArguments<"pigeon"> {
  readonly loft: { readonly town: string };
}

export interface PigeonParams extends TransportParams {
  readonly seeds?: number;
  readonly speed?: "slow" | "fast";
  readonly onLanding?: (town: string) => void;
}

export interface PigeonEvents extends TransportEvents {
  landed: [town: string, minutes: number];
}

export interface PigeonTransport extends Transport<PigeonEvents> {
  feed(seeds: number): Promise<void>;
}

/** Brings an arm and params. */
export interface DrumRunnerArguments extends SessionArguments<"drum"> {
  readonly drummer: string;
}

export interface DrumParams extends TransportParams {
  readonly rhythm?: string;
}

/** Brings an arm, and shares the transport of another. */
export interface OwlRunnerArguments extends SessionArguments<"owl"> {
  readonly tree: string;
}

/** Brings an arm, and a transport that tells more and can do no more. */
export interface HornRunnerArguments extends SessionArguments<"horn"> {
  readonly tower: string;
}

export interface HornEvents extends TransportEvents {
  echoed: [cliff: string];
}

/** Brings an arm alone. */
export interface SmokeRunnerArguments extends SessionArguments<"smoke"> {
  readonly hill: number;
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    pigeon: PigeonRunnerArguments;
    drum: DrumRunnerArguments;
    owl: OwlRunnerArguments;
    horn: HornRunnerArguments;
    smoke: SmokeRunnerArguments;
  }
  interface TransportParamsByTransport {
    pigeon: PigeonParams;
    drum: DrumParams;
  }
  interface TransportsByTransport {
    pigeon: PigeonTransport;
    owl: PigeonTransport;
    horn: Transport<HornEvents>;
  }
}
