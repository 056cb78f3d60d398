import type { TransportPlugin } from "@pipecat-ts/runner-core";
import type { Caller, CallInvitation } from "@pipecat-ts/runner-core/caller";
import type { Runner, RunnerLogger, RunnerOptions } from "@pipecat-ts/runner-host";

/** What the suite needs to know about a transport, and how to call it. Each transport has one, in its conformance test. */
export interface TransportAdapter {
  /** The transport under test. */
  readonly plugin: TransportPlugin;
  /** Other transports that share something with it, such as a path. They are opened in the same runner, after it and before it. */
  readonly companions?: readonly Pick<TransportAdapter, "plugin" | "options">[];
  /** The URL of the module that users import: `import.meta.resolve("runner-pigeon")`. The suite finds the plugin module in its package.json. */
  readonly entry: string;
  /** The plugin's options, by camelCase name. Set every secret: the suite checks that none is printed. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Options of every runner of the suite, such as `webSocketAuth: "token"` or `apiKey`. */
  readonly runner?: Partial<RunnerOptions>;
  /** Creates the runners, for a program that puts something in front of them. Default: `createRunner` of runner-host. */
  readonly createRunner?: (options: RunnerOptions & { readonly logger: RunnerLogger }) => Runner;
  /** Restricts the runner to this transport, as `--transport` does. Default false. */
  readonly selected?: boolean;
  /** Fields that clients add to the start request. `false`: the transport has no `start`. */
  readonly start?: Readonly<Record<string, unknown>> | false;
  /** Whether the start request starts the bot, before the caller connects, as where both join a room. Default false. */
  readonly startsBot?: boolean;
  /** Whether the start request takes a place for a call. Default: where it starts the bot. */
  readonly startTakesPlace?: boolean;
  /** Start requests that it must reject with 400, beside those that every transport must reject. */
  readonly badStarts?: readonly Readonly<Record<string, unknown>>[];
  /**
   * Whether callers may connect without a start request. `"verified"`: only those whose vendor the transport verifies, for
   * example by signature. Default: true where `start` is false.
   */
  readonly walkIn?: boolean | "verified";
  /** Whether it carries messages beside audio. Default true. */
  readonly messages?: boolean;
  /** Whether the far end buffers audio and can clear it. Its clears are counted by `playout.clears`. Default false. */
  readonly clears?: boolean;
  /** By how many dB the wire may change the level. Default 1. */
  readonly levelToleranceDb?: number;
  /**
   * Whether packets may be lost, or a jitter buffer drops and stretches audio to stay in time, as with WebRTC. Some audio may then be
   * lost or repeated; otherwise none. Default false.
   */
  readonly jitterBuffer?: boolean;
  /** How much audio is in flight that nothing can clear, as in a jitter buffer, in ms. Default 0. */
  readonly wireDelayMs?: number;
  /** How long the loss of a caller may stay undetected, in ms. Default 2,000. */
  readonly lossNoticedMs?: number;
  /** Texts other than secret options that must never be printed, such as phone numbers. */
  readonly privateTexts?: readonly string[];
  /** `false`: another library parses what callers send, so `FakeCaller.sendRaw` is missing. */
  readonly rawInput?: false;
  /** Malformed input that is specific to the wire format, beside the suite's own. */
  readonly malformed?: readonly (string | Uint8Array)[];
  /**
   * Connects a caller. Resolves when the caller may speak. Rejects, with nothing left open, when it is refused; with an
   * AssertionError when the transport did something wrong.
   */
  connect(invitation: Invitation): Promise<FakeCaller>;
}

/** What a caller knows before the call. */
export interface Invitation extends Omit<CallInvitation, "publicUrl"> {
  /** The servers of the transport's own, as in `OpenTransport.advanced.listeners`. */
  readonly listeners: readonly string[];
}

/** One caller, which uses the transport's wire format like its real clients. */
export interface FakeCaller extends Omit<Caller, "closed" | "messages"> {
  /** The app messages that arrived, parsed, oldest first. */
  readonly messages?: readonly unknown[];
  /** Sends text or bytes unchanged, in place of the transport's own messages. */
  sendRaw?(data: string | Uint8Array): void;
  /** Disconnects without a message, as when the network is lost. Called for every caller at the end, also for one that has left. */
  drop(): void;
  /** Resolves when the wire is closed, by either side. */
  readonly closed: Promise<unknown>;
}
