import {
  type CallData,
  type CallerSocket,
  type RunnerContext,
  RunnerError,
  type Session,
  type SocketHandlers,
  type SocketRequest,
  type SocketUpgrade,
} from "@pipecat-ts/runner-core";
import type { CarrierIds } from "./carrier.ts";
import { type JsonObject, parseObject } from "./json.ts";
import { type SignatureVerification, signatureInvalid } from "./signature.ts";

/** The socket path of carriers that have none of their own. */
export const sharedSocketPath = "/ws";
/** Largest message in bytes. The largest ones of carriers are 100 ms of 16-bit audio at 24,000 Hz in base64: 6.5 kB. */
export const maxMessageBytes = 65_536;

/** How long a socket may take to send its start message, in ms. */
const startTimeoutMs = 10_000;
/** How many messages that are not a carrier's may arrive before it. */
const maxUnknown = 5;
/** Messages held until the start message: 1 s of audio. Carriers send up to 100 ms. */
const maxEarlyMessages = 50;
const maxEarlyBytes = 65_536;

/** One carrier whose calls arrive on a socket path. */
export interface RoutedCarrier {
  readonly runner: RunnerContext;
  readonly title: string;
  readonly ids: CarrierIds;
  readonly earlyEvents: readonly string[];
  readonly verification: SignatureVerification;
  recognizeCall(message: JsonObject): CallData | undefined;
  /** Whether a call on the socket of this session may have ids that are not the carrier's. */
  acceptsAnyIds(session: Session | undefined): boolean;
  /** Starts the bot of a call. The host rejects the socket when it throws. */
  answer(call: StartedCall): SocketHandlers;
}

/** A call whose start message has arrived. */
export interface StartedCall {
  readonly start: JsonObject;
  readonly callData: CallData;
  readonly socket: CallerSocket;
  readonly request: SocketRequest;
  /** The session that the socket's URL names; absent for a bare path. */
  readonly session: Session | undefined;
}

/** Routes sockets on a bare path, whose URL does not name a session, to the carrier that recognizes their start message. */
export interface CallRouter {
  /** Returns a function that removes the carrier. */
  add(carrier: RoutedCarrier): () => void;
  /**
   * Whether any carrier signed the upgrade request. Throws SIGNATURE_INVALID when the only signature is invalid, or when a
   * signature is missing, all carriers require one, and the caller has no API key.
   */
  verify(upgrade: SocketUpgrade): boolean;
  accept(socket: CallerSocket, request: SocketRequest): SocketHandlers;
}

/** The call router of a socket path. */
export function callRouterOf(runner: RunnerContext, path: string): CallRouter {
  return runner.shared(`telephony-call-router:${path}`, createCallRouter);
}

function createCallRouter(): CallRouter {
  const carriers = new Set<RoutedCarrier>();
  return {
    add(carrier) {
      carriers.add(carrier);
      return () => carriers.delete(carrier);
    },
    verify({ request, hasKey }) {
      const all = [...carriers];
      const signatures = all.map(({ verification }) => verification.checkUpgrade(request));
      if (signatures.includes("valid")) return true;
      const isRequired = !hasKey && all.every(({ verification }) => !verification.allowsUpgrade(request, false));
      const rejecting = all[signatures.indexOf("invalid")] ?? (isRequired ? all[0] : undefined);
      if (rejecting) throw signatureInvalid(rejecting.title);
      return false;
    },
    accept: (socket, request) => awaitStart(carriers, socket, request),
  };
}

/**
 * Waits for the start message of one of the carriers, which then handles the socket. Carriers may send audio before it, which
 * is held and delivered after it. Rejects with START_MESSAGE_MISSING a socket that sends 5 messages that are not a carrier's, or
 * sends no start message within 10 s; throws CALL_ID_INVALID for a start message whose ids are not the carrier's.
 */
export function awaitStart(
  carriers: Iterable<RoutedCarrier>,
  socket: CallerSocket,
  request: SocketRequest,
  session?: Session,
): SocketHandlers {
  let unknown = 0;
  let handlers: SocketHandlers | undefined;
  const early = createEarlyMessages();
  const timer = setTimeout(() => reject("No start message arrived within 10 s."), startTimeoutMs);

  function reject(message: string): void {
    clearTimeout(timer);
    socket.reject(
      new RunnerError("START_MESSAGE_MISSING", message, {
        fix: "Check that the carrier of the number is installed, and that its stream opens this URL.",
      }),
    );
  }

  function answer(start: JsonObject): SocketHandlers | undefined {
    const recognizing = [...carriers].flatMap((carrier) => {
      const callData = recognizeCall(carrier, start);
      return callData ? [{ carrier, callData }] : [];
    });
    const [first] = recognizing;
    if (!first) return undefined;
    clearTimeout(timer);
    const found = recognizing.find(({ carrier, callData }) => {
      return carrier.acceptsAnyIds(session) || hasValidIds(carrier, callData);
    });
    if (!found) throw callIdInvalid(first.carrier.title);
    if (early.dropped > 0) found.carrier.runner.logger.warn({ dropped: early.dropped }, "early messages dropped");
    return found.carrier.answer({ start, callData: found.callData, socket, request, session });
  }

  function isEarly({ event }: JsonObject): boolean {
    return [...carriers].some(({ earlyEvents }) => earlyEvents.some((each) => each === event));
  }

  return {
    message(data, isBinary) {
      if (handlers) return handlers.message(data, isBinary);
      if (!socket.isOpen) return;
      const message = isBinary ? undefined : parseObject(data.toString("utf8"));
      if (message && isEarly(message)) return early.push(data);
      handlers = message && answer(message);
      if (handlers) for (const each of early.take()) handlers.message(each, false);
      else if (++unknown >= maxUnknown) reject(`None of the first ${maxUnknown} messages is a known carrier's.`);
    },
    closed(code, reason) {
      clearTimeout(timer);
      handlers?.closed?.(code, reason);
    },
  };
}

/** Holds the newest messages that arrive before the start message, within bounds. */
function createEarlyMessages() {
  const held: Buffer[] = [];
  let bytes = 0;
  let dropped = 0;
  return {
    get dropped() {
      return dropped;
    },
    push(data: Buffer): void {
      // A copy: the message may be part of a much larger chunk of the connection.
      held.push(Buffer.from(data));
      bytes += data.length;
      while (held.length > maxEarlyMessages || bytes > maxEarlyBytes) {
        bytes -= held.shift()?.length ?? 0;
        dropped += 1;
      }
    },
    take: () => held.splice(0),
  };
}

/** Whether the ids of a call have the shape of the carrier's. */
export function hasValidIds(
  { ids }: { readonly ids: CarrierIds },
  { callId, streamId }: Pick<CallData, "callId" | "streamId">,
): boolean {
  return ids.call.test(callId) && ids.stream.test(streamId);
}

function callIdInvalid(title: string): RunnerError {
  const message = `The start message has a call id or stream id that ${title} does not use.`;
  const fix = "To act as a phone, open the URL from the reply of POST /start.";
  return new RunnerError("CALL_ID_INVALID", message, { fix });
}

/** A carrier that throws must not keep the others from their calls. */
function recognizeCall({ runner, recognizeCall }: RoutedCarrier, message: JsonObject): CallData | undefined {
  try {
    return recognizeCall(message);
  } catch (err) {
    runner.logger.error({ err }, "start message not read");
    return undefined;
  }
}
