import type { CloseReason, SessionState } from "@pipecat-ts/runner-core";
import type { MetricValues, TransportReport } from "@pipecat-ts/runner-host";
import type { Owner } from "./owner-id.ts";

/** What the gateway tells a worker, as JSON over the channel of the child process. Requests and audio never use it. */
export type ToWorker =
  | OpenMessage
  /**
   * Comes with the socket of a caller. `head`: the bytes of the request, in base64. The worker answers `socket-closed` with `id`
   * when the socket is closed; without an id it does not.
   */
  | { readonly kind: "socket"; readonly head: string; readonly id?: number | undefined }
  /** The worker answers `pong`, unless its event loop is blocked. */
  | { readonly kind: "ping" }
  /** The worker answers with its `metrics`. */
  | { readonly kind: "metrics" }
  /** A session of another worker crashed: its plugin releases what a vendor still holds. */
  | { readonly kind: "crashed"; readonly plugin: string; readonly record: object }
  /** The answer to `take-permit`. */
  | { readonly kind: "permit"; readonly id: number; readonly granted: boolean }
  /** Ends a pending session with `evicted`. */
  | { readonly kind: "evict"; readonly id: string }
  /** Reject new callers, let live calls end, then exit. */
  | { readonly kind: "drain" }
  /** End live calls, then exit. */
  | { readonly kind: "close" };

/** The first message to a worker. */
export interface OpenMessage {
  readonly kind: "open";
  /** The process id of the gateway. */
  readonly gateway: number;
  readonly owner: Owner;
  /** The Unix socket that the worker listens on. */
  readonly path: string;
  /** Where callers reach the gateway. */
  readonly url: string;
  /** How many sessions the worker may have at once, pending ones included. */
  readonly maxSessions: number;
}

/** What a worker tells the gateway. */
export type FromWorker =
  | ReadyMessage
  /** The worker cannot open its bot or its transports, and exits. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string; readonly fix?: string | undefined }
  | { readonly kind: "pong" }
  | SessionMessage
  /** The session can be found under another key, until it ends. */
  | { readonly kind: "alias"; readonly id: string; readonly key: string }
  /** The session's plugin keeps a record for the case that the worker crashes. */
  | { readonly kind: "remembered"; readonly id: string; readonly plugin: string; readonly record: object }
  | { readonly kind: "socket-closed"; readonly id: number }
  /** Asks for a permit, which all workers share; see `RunnerContext.takePermit`. */
  | { readonly kind: "take-permit"; readonly id: number; readonly key: string; readonly perMinute: number }
  | { readonly kind: "metrics"; readonly values: MetricValues };

/** The worker takes callers. */
export interface ReadyMessage {
  readonly kind: "ready";
  readonly transports: readonly TransportReport[];
  readonly unauthenticatedRoutes: readonly string[];
  /** What the program of the worker adds, for the program of the gateway. */
  readonly notes: unknown;
}

/** A session began, its bot started, or it ended. */
export interface SessionMessage {
  readonly kind: "session";
  readonly id: string;
  readonly transport: string;
  readonly state: SessionState;
  /** Whether its caller's phone rings: then it keeps its place. */
  readonly rings?: boolean | undefined;
  readonly reason?: CloseReason | undefined;
}
