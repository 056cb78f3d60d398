import type { IncomingMessage } from "node:http";
import type {
  CallData,
  CallerSocket,
  RunnerContext,
  Session,
  SocketHandlers,
  SocketRequest,
} from "@pipecat-ts/runner-core";
import { type JsonObject, parseObject } from "./json.ts";
import { type SignatureVerification, signatureInvalid } from "./signature.ts";

/** The socket path that all carriers share. */
export const socketPath = "/ws";

/** How long a socket may take to send its start message, in ms. */
const startTimeoutMs = 10_000;
const maxMessages = 5;
const maxStartBytes = 65_536;

/** One carrier whose calls arrive on the shared socket path. */
export interface RoutedCarrier {
  readonly runner: RunnerContext;
  readonly title: string;
  readonly verification: SignatureVerification;
  recognizeCall(message: JsonObject): CallData | undefined;
  /** Starts the bot of a call. The host rejects the socket when it throws. */
  answer(call: StartedCall): SocketHandlers;
}

/** A call whose start message has arrived. */
export interface StartedCall {
  readonly start: JsonObject;
  readonly callData: CallData;
  readonly socket: CallerSocket;
  readonly request: SocketRequest;
  /** The session that the socket's URL names; absent for a bare `/ws`. */
  readonly session: Session | undefined;
}

/** Routes sockets on a bare `/ws`, whose URL does not name a session, to the carrier that recognizes their start message. */
export interface CallRouter {
  /** Returns a function that removes the carrier. */
  add(carrier: RoutedCarrier): () => void;
  /**
   * Whether any carrier signed the upgrade request. Throws SIGNATURE_INVALID when the only signature is invalid, or when a
   * signature is missing and all carriers require one.
   */
  verify(request: IncomingMessage): boolean;
  accept(socket: CallerSocket, request: SocketRequest): SocketHandlers;
}

/** The call router of a runner. */
export function callRouterOf(runner: RunnerContext): CallRouter {
  return runner.shared("telephony-call-router", createCallRouter);
}

function createCallRouter(): CallRouter {
  const carriers = new Set<RoutedCarrier>();
  return {
    add(carrier) {
      carriers.add(carrier);
      return () => carriers.delete(carrier);
    },
    verify(request) {
      const all = [...carriers];
      const signatures = all.map(({ verification }) => verification.checkUpgrade(request));
      if (signatures.includes("valid")) return true;
      const isRequired = all.every(({ verification }) => !verification.allowsUpgrade(request, false));
      const rejecting = all[signatures.indexOf("invalid")] ?? (isRequired ? all[0] : undefined);
      if (rejecting) throw signatureInvalid(rejecting.title);
      return false;
    },
    accept: (socket, request) => awaitStart(carriers, socket, request),
  };
}

/**
 * Waits for the start message of one of the carriers, which then handles the socket. Closes with 1008 a socket that sends 5
 * other messages, or sends no start message within 10 s, and with 1009 one that sends more than 64 KiB before it.
 */
export function awaitStart(
  carriers: Iterable<RoutedCarrier>,
  socket: CallerSocket,
  request: SocketRequest,
  session?: Session,
): SocketHandlers {
  let messages = 0;
  let handlers: SocketHandlers | undefined;
  const timer = setTimeout(() => close(1008, "no start message within 10 s"), startTimeoutMs);

  function close(code: number, reason: string): void {
    clearTimeout(timer);
    socket.raw.close(code, reason);
  }

  function answer(start: JsonObject): boolean {
    for (const carrier of carriers) {
      const callData = recognizeCall(carrier, start);
      if (!callData) continue;
      clearTimeout(timer);
      handlers = carrier.answer({ start, callData, socket, request, session });
      return true;
    }
    return false;
  }

  return {
    message(data, isBinary) {
      if (handlers) return handlers.message(data, isBinary);
      if (!socket.isOpen) return;
      messages += 1;
      const isTooLarge = data.byteLength > maxStartBytes;
      const message = isBinary || isTooLarge ? undefined : parseObject(data.toString("utf8"));
      if (isTooLarge) close(1009, "start message too large");
      else if (!(message && answer(message)) && messages >= maxMessages) close(1008, "not a known carrier");
    },
    closed(code) {
      clearTimeout(timer);
      handlers?.closed?.(code);
    },
  };
}

/** A carrier that throws must not keep the others from their calls. */
function recognizeCall({ runner, recognizeCall }: RoutedCarrier, message: JsonObject): CallData | undefined {
  try {
    const call = recognizeCall(message);
    // In a path of the carrier's API, these ids would address all calls of the account.
    return call && !/^\.{1,2}$/.test(call.callId) ? call : undefined;
  } catch (err) {
    runner.logger.error({ err }, "start message not read");
    return undefined;
  }
}
