import type { AudioFrame } from "@pipecat-ts/audio";
import type { TransportPlugin } from "@pipecat-ts/runner-core";
import type { Speaker } from "./speaker.ts";

/** What the suite must know of a transport to call in over it. Each transport writes one, in its `conformance.test.ts`. */
export interface TransportAdapter {
  /** The transport under test. */
  readonly plugin: TransportPlugin;
  /** Further transports in the same runner: those it shares something with. */
  readonly companions?: readonly Pick<TransportAdapter, "plugin" | "options">[];
  /** The URL of the module that users import: `import.meta.resolve("@acme/runner-pigeon")`. */
  readonly entry: string;
  /** The plugin's options, as if given by flag. Give every secret one: it must never be printed. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Restricts the runner to this transport, as `--transport` does. Default false. */
  readonly selected?: boolean;
  /** Fields that its clients add to the start request. `false`: it has no `/start`, callers just come. */
  readonly start?: Readonly<Record<string, unknown>> | false;
  /** Whether the bot runs from the start request on, before its caller comes, as where both meet in a room. Default false. */
  readonly startsBot?: boolean;
  /** Start requests that it must refuse with 400, beside those that every transport must. */
  readonly badStarts?: readonly Readonly<Record<string, unknown>>[];
  /** Whether callers may also come without a start request. Default: only where `start` is false. */
  readonly walkIn?: boolean;
  /** Whether messages travel beside the audio. Default true. */
  readonly messages?: boolean;
  /** Whether the far end buffers audio and is told to drop it, counted by `speaker.clears`. Default false. */
  readonly clears?: boolean;
  /** How much louder or quieter the wire may make a sound, in dB. Default 1. */
  readonly levelToleranceDb?: number;
  /** How long sound is under way where it cannot be called back, as in a jitter buffer, in ms. Default 0. */
  readonly wireDelayMs?: number;
  /** How long a vanished caller may go unnoticed, in ms. Default 2,000. */
  readonly lossNoticedMs?: number;
  /** What must never be printed beside the secret options: the numbers of the phones involved. */
  readonly privateTexts?: readonly string[];
  /** Calls in, and resolves once the caller may speak. Rejects when it is refused, with nothing left open. */
  connect(invitation: Invitation): Promise<FakeCaller>;
}

/** What a caller knows before the call. */
export interface Invitation {
  /** The runner's address. */
  readonly url: URL;
  /** The start request's answer; absent for one who just comes. */
  readonly start?: { readonly sessionId: string; readonly reply: Readonly<Record<string, unknown>> };
}

/** One caller, speaking the transport's wire as its real clients do. */
export interface FakeCaller {
  /** The rate in Hz at which it speaks. */
  readonly sampleRate: number;
  /** Sends 20 ms of the caller's voice now: mono, at `sampleRate`. */
  speak(frame: AudioFrame): void;
  /** What the caller hears: the adapter plays on it what arrives, and clears it when the wire says so. */
  readonly speaker: Speaker;
  /** Sends an app message; absent where there are none. */
  sendMessage?(message: unknown): void;
  /** The app messages that came, parsed, oldest first. */
  readonly messages?: readonly unknown[];
  /** Leaves as a real client does, and resolves when nothing of the caller is left open. */
  hangUp(): Promise<void>;
  /** Vanishes without a word: the network is gone. Called for every caller in the end, also for one that left. */
  drop(): void;
  /** Resolves when the wire is closed, whoever closed it. */
  readonly closed: Promise<unknown>;
}
