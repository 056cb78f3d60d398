import * as Type from "typebox";
import { Check } from "typebox/value";
import manifest from "../package.json" with { type: "json" };
import {
  dropOldest,
  envelopeProblem,
  estimateBytes,
  isRTVI,
  maxHeldBytes,
  quote,
  type ReceivedMessage,
  recognizeEnvelope,
  shortText,
} from "./messages.ts";
import { parseVersion, previousVersion, protocolVersion, type RTVIClient, speaks22 } from "./protocols.ts";
import { type BotCapabilities, serverMessage } from "./server-messages.ts";
import { type RTVILogger, type RTVITransport, sendMessage } from "./transport.ts";

/** How a bot introduces itself to its clients. */
export interface HandshakeOptions {
  /**
   * `about` in `bot-ready`, beside pipecat-runner and its version. The web client shows its `name`. It counts from the next
   * `client-ready` on.
   */
  readonly about?: Readonly<Record<string, unknown>> | undefined;
  /** Receives warnings about unsupported client versions and about messages that could not be sent. Default: none. */
  readonly logger?: RTVILogger | undefined;
}

/**
 * The state of the handshake. It is stored on the transport, because the transport lives as long as the session and a client
 * that reconnects its media does not send `client-ready` again. The key is a registered symbol, so that the host's copy of
 * this package and the bot's copy share the state.
 */
export interface Handshake {
  /** The client that sent `client-ready` last. While it is undefined, no RTVI message may be sent. */
  client: RTVIClient | undefined;
  /** Called with each client that becomes ready, after `bot-ready` was sent. */
  readonly listeners: Set<(client: RTVIClient) => void>;
  /** The client's messages that were not received yet, oldest first. Holds the latest 50, of at most 2 MiB together. */
  readonly held: HeldMessage[];
  /** Receives all later client messages except `client-ready`. Returns a promise that settles when the bot's listeners have. */
  receive: ((message: ReceivedMessage) => unknown) | undefined;
  /** `about` in `bot-ready`. */
  about: Readonly<Record<string, unknown>>;
  /** Whether the bot reports metrics. Undefined if it has not said so. */
  metrics: boolean | undefined;
  /** The types of client messages that the bot has listeners for. */
  handled: () => readonly string[];
  readonly logger: RTVILogger | undefined;
  /** The result of `createRTVI` for this transport. */
  rtvi: unknown;
}

/** A message that was not received yet. */
interface HeldMessage extends ReceivedMessage {
  /** Called with the result of `receive`. */
  readonly delivered: (result: unknown) => void;
}

const handshakeKey = Symbol.for("pipecat.rtvi");

/**
 * Answers `client-ready` with `bot-ready` for as long as the transport lives, so that a client's `connect()` resolves even
 * if the bot does not use RTVI. The host calls it for every session. A second call for the same transport does nothing.
 *
 * It also answers malformed RTVI messages with a non-fatal `error`. It leaves all other messages to the bot, which reads
 * them through `createRTVI` or as `appMessage` events. Clients handle missing answers themselves: `sendClientRequest` of
 * client-js times out after 10 s.
 *
 * A client with a version other than 1.x or 2.x first receives an `error-response`, and then the same service.
 */
export function answerHandshake(transport: RTVITransport, options: HandshakeOptions = {}): void {
  handshakeOf(transport, options);
}

/**
 * The types of client messages that the bot has listeners for now, such as `send-text`, so that a client shows only the controls
 * that do something. Empty if the bot has not called `createRTVI`.
 */
export function handledMessages(transport: RTVITransport): readonly string[] {
  return (transport as { readonly [handshakeKey]?: Handshake })[handshakeKey]?.handled() ?? [];
}

/** Returns the transport's handshake. The first call starts to answer it. */
export function handshakeOf(transport: RTVITransport, options: HandshakeOptions): Handshake {
  const owner = transport as { [handshakeKey]?: Handshake };
  const handshake = owner[handshakeKey] ?? startHandshake(transport, options);
  owner[handshakeKey] = handshake;
  handshake.about = { ...handshake.about, ...options.about };
  return handshake;
}

/**
 * Tells the client of a transport that its bot failed, with a fatal `error`, so that it disconnects. Waits until the client is
 * ready. Resolves when the message is sent, or the call is over.
 */
export async function sendFatalError(transport: RTVITransport, error: string): Promise<void> {
  const handshake = handshakeOf(transport, {});
  if (!handshake.client) {
    await new Promise<void>((resolve) => {
      const ready = () => resolve();
      handshake.listeners.add(ready);
      transport.closed.then(ready, ready);
    });
  }
  await sendMessage(transport, serverMessage("error", { error, fatal: true }));
}

function startHandshake(transport: RTVITransport, options: HandshakeOptions): Handshake {
  const { logger } = options;
  const handshake: Handshake = {
    client: undefined,
    listeners: new Set(),
    held: [],
    receive: undefined,
    about: { library: "pipecat-runner", library_version: manifest.version },
    metrics: undefined,
    handled: () => [],
    logger,
    rtvi: undefined,
  };
  // A client can trigger these warnings as often as it likes, so each is logged once.
  let warnedUnsent = false;
  let warnedVersion = false;
  const send = (message: unknown): void => {
    sendMessage(transport, message).catch((err) => {
      if (!warnedUnsent) logger?.warn({ err }, "rtvi answer not sent; later failures are not logged");
      warnedUnsent = true;
    });
  };

  const greet = (id: string, data: unknown): void => {
    const { client, warning } = readClient(data);
    if (warning !== undefined) {
      if (!warnedVersion) logger?.warn({ warning }, "rtvi client version not supported");
      warnedVersion = true;
      send(serverMessage("error-response", { error: warning }, id));
    }
    const capabilities = speaks22(client) ? { capabilities: capabilitiesOf(transport, handshake) } : {};
    send(serverMessage("bot-ready", { version: versionFor(client), about: handshake.about, ...capabilities }, id));
    handshake.client = client;
    for (const listener of [...handshake.listeners]) listener(client);
  };

  const bytesOf = new WeakMap<ReceivedMessage, number>();
  const hold = (message: ReceivedMessage): Promise<unknown> => {
    const { promise, resolve: delivered } = Promise.withResolvers<unknown>();
    const held = { ...message, delivered };
    bytesOf.set(held, estimateBytes(message, maxHeldBytes));
    handshake.held.push(held);
    dropOldest(handshake.held, (each) => bytesOf.get(each) ?? 0);
    return promise;
  };

  /** Settles when the bot's listeners have, so that the transport gets their rejections. */
  const take = (message: unknown, sender: string | undefined): unknown => {
    if (!isRTVI(message)) return undefined;
    const envelope = recognizeEnvelope(message);
    if (envelope === undefined) {
      const error = `Invalid RTVI transport message: ${envelopeProblem(message)}`;
      return send(serverMessage("error", { error, fatal: false }));
    }
    if (envelope.type === "client-ready") return greet(envelope.id, envelope.data);
    return (handshake.receive ?? hold)({ ...envelope, sender });
  };
  const removeListener = transport.on("appMessage", take, { tap: true });
  const end = (): void => {
    removeListener();
    handshake.held.length = 0;
  };
  transport.closed.then(end, end);
  return handshake;
}

const optionalText = Type.Optional(Type.Union([shortText, Type.Null()]));
const aboutClient = Type.Object({
  library: shortText,
  library_version: optionalText,
  platform: optionalText,
  platform_version: optionalText,
});

/**
 * Reads the data of `client-ready`. Missing or malformed data is legal. `warning` describes an unsupported version; like
 * Pipecat's Python runner, we send it as an `error-response` and serve the client anyway.
 */
function readClient(data: unknown): { readonly client: RTVIClient; readonly warning: string | undefined } {
  const { version, about } = (data ?? {}) as { readonly version?: unknown; readonly about?: unknown };
  const text = typeof version === "string" && version !== "" && Check(shortText, version) ? version : undefined;
  const [major] = parseVersion(text ?? "") ?? [];
  return {
    client: {
      version: text,
      about: Check(aboutClient, about) ? about : undefined,
      legacy: major === 1,
    },
    warning: versionWarning(text, major),
  };
}

/** The version in `bot-ready`: the client's own if it speaks protocol 1, so that it does not expect 2.x messages. */
function versionFor(client: RTVIClient): string {
  if (client.legacy && client.version !== undefined) return client.version;
  return speaks22(client) ? protocolVersion : previousVersion;
}

/** What the bot does in this call. Clients keep their default for what is unknown, and therefore omitted. */
function capabilitiesOf({ capabilities }: RTVITransport, { metrics }: Handshake): BotCapabilities {
  return {
    audio_in: capabilities?.audioIn,
    audio_out: capabilities?.audioOut,
    video_in: capabilities?.videoIn,
    screen_in: capabilities?.screenIn,
    video_out: capabilities?.videoOut,
    metrics,
  };
}

function versionWarning(version: string | undefined, major: number | undefined): string | undefined {
  const advice = "Compatibility issues may occur.";
  if (version === undefined) return `Client version unknown. ${advice}`;
  if (major === undefined) return `Invalid client version format (${quote(version)}). ${advice}`;
  if (major === 1 || major === Number.parseInt(protocolVersion, 10)) return undefined;
  return `RTVI version ${quote(version)} is not compatible with server protocol ${protocolVersion}. ${advice}`;
}
