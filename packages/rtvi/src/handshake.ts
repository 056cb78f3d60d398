import manifest from "../package.json" with { type: "json" };
import { type RTVIClient, readClient, versionFor } from "./client.ts";
import { type ClientEnvelope, envelopeProblem, isRTVI, recogniseEnvelope } from "./messages.ts";
import { sendMessage } from "./sending.ts";
import { serverMessage } from "./server-messages.ts";
import type { RTVILogger, RTVITransport } from "./transport.ts";

/** How a bot introduces itself to its clients. */
export interface HandshakeOptions {
  /** `about` in `bot-ready`. Default: pipecat-runner and its version. */
  readonly about?: Readonly<Record<string, unknown>>;
  /** Told of clients of odd versions and of messages that could not be sent. Default: nobody. */
  readonly logger?: RTVILogger;
}

/**
 * What has passed between bot and client so far. Kept on the transport, for the transport lives as long as the session,
 * and a client that reconnects its media does not say `client-ready` again; and under a registered symbol, so that the
 * host's copy of this package and the bot's find the same one.
 */
export interface Handshake {
  /** The client that said `client-ready` last. Undefined: none has, and nothing of RTVI may be sent. */
  client: RTVIClient | undefined;
  /** Called with each client that got ready, after `bot-ready` was sent. */
  readonly listeners: Set<(client: RTVIClient) => void>;
  /** The client's messages that nobody received yet, oldest first: the latest 50. */
  readonly held: ClientEnvelope[];
  /** Receives the client's messages, all but `client-ready`, from now on. */
  receive: ((message: ClientEnvelope) => void) | undefined;
  readonly logger: RTVILogger | undefined;
  /** What `createRTVI` made for this transport. */
  rtvi: unknown;
}

const maxHeld = 50;
const handshakeKey = Symbol.for("pipecat.rtvi");

/**
 * Answers `client-ready` with `bot-ready` for as long as the transport lives, so that a client's `connect()` resolves
 * even where the bot knows nothing of RTVI. Called by the host for every session; a second call for one transport does
 * nothing.
 *
 * Besides, it answers an RTVI message that is malformed with a non-fatal `error`. It answers nothing else: the other
 * messages are the bot's, who reads them through `createRTVI` or as `appMessage`s of its own, and only the bot knows
 * whether it answered. What nobody answers, the client gives up by itself: `sendClientRequest` of client-js after 10 s.
 *
 * A client of a version other than 1.x or 2.x is told so in an `error-response`, and then served all the same.
 */
export function answerHandshake(transport: RTVITransport, options: HandshakeOptions = {}): void {
  handshakeOf(transport, options);
}

/** The handshake of this transport, answered from now on. */
export function handshakeOf(transport: RTVITransport, options: HandshakeOptions): Handshake {
  const place = transport as { [handshakeKey]?: Handshake };
  place[handshakeKey] ??= startHandshake(transport, options);
  return place[handshakeKey];
}

function startHandshake(transport: RTVITransport, options: HandshakeOptions): Handshake {
  const { about = { library: "pipecat-runner", library_version: manifest.version }, logger } = options;
  const handshake: Handshake = {
    client: undefined,
    listeners: new Set(),
    held: [],
    receive: undefined,
    logger,
    rtvi: undefined,
  };
  // The client decides how often there is something to say of it: the log is told once.
  let unsent = false;
  let objected = false;
  const send = (message: unknown): void => {
    sendMessage(transport, message).catch((error) => {
      if (!unsent) logger?.warn(`An RTVI answer could not be sent, which is logged once: ${error}`);
      unsent = true;
    });
  };

  const greet = (id: string, data: unknown): void => {
    const { client, objection } = readClient(data);
    if (objection !== undefined) {
      if (!objected) logger?.warn(objection);
      objected = true;
      send(serverMessage("error-response", { error: objection }, id));
    }
    send(serverMessage("bot-ready", { version: versionFor(client), about }, id));
    handshake.client = client;
    for (const listener of [...handshake.listeners]) listener(client);
  };

  const hold = (envelope: ClientEnvelope): void => {
    if (handshake.held.push(envelope) > maxHeld) handshake.held.shift();
  };

  const stop = transport.on(
    "appMessage",
    (message) => {
      if (!isRTVI(message)) return;
      const envelope = recogniseEnvelope(message);
      if (envelope === undefined) {
        const error = `Invalid RTVI transport message: ${envelopeProblem(message)}`;
        send(serverMessage("error", { error, fatal: false }));
      } else if (envelope.type === "client-ready") greet(envelope.id, envelope.data);
      else if (handshake.receive) handshake.receive(envelope);
      else hold(envelope);
    },
    { tap: true },
  );
  const end = (): void => {
    stop();
    handshake.held.length = 0;
  };
  transport.closed.then(end, end);
  return handshake;
}
