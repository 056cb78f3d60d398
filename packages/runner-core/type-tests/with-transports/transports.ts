/** Five transports, declared like third-party packages declare them. */
import type { SessionArguments, Transport, TransportEvents, TransportParams } from "@pipecat-ts/runner-core";

/** Has arguments, params and a transport with further methods. */
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

/** Has arguments and params. */
export interface DrumRunnerArguments extends SessionArguments<"drum"> {
  readonly drummer: string;
}

export interface DrumParams extends TransportParams {
  readonly rhythm?: string;
}

/** Has arguments, and the transport type of another. */
export interface OwlRunnerArguments extends SessionArguments<"owl"> {
  readonly tree: string;
}

/** Has arguments, and a transport with further events. */
export interface HornRunnerArguments extends SessionArguments<"horn"> {
  readonly tower: string;
}

export interface HornEvents extends TransportEvents {
  echoed: [cliff: string];
}

/** Has arguments only. */
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
