import type { CloseReason } from "@pipecat-ts/runner-core";
import { type Caller, createReception, type Pacer } from "@pipecat-ts/runner-media";
import type { SmallWebRTCConnection } from "./arguments.ts";
import { createFarewell } from "./farewell.ts";
import { createLiveness } from "./liveness.ts";
import { type CallerTrack, recogniseChannelText, signal } from "./messages.ts";
import { createOutbox } from "./outbox.ts";
import { createPeers, type Peers, type PeersOptions } from "./peers.ts";

import { createIncomingAudio, type IncomingAudio } from "./voice/incoming-audio.ts";
import type { Opus } from "./voice/opus.ts";
import { createKeepaliveSilence } from "./voice/outgoing-audio.ts";

/** What a connection is made with. */
export interface ConnectionOptions extends PeersOptions {
  readonly opus: Opus;
  readonly pacer: Pacer;
  /** How long a caller may be away, in ms. */
  readonly callerTimeoutMs: number;
}

/** The runner's side of a caller's connection. */
export interface Connection extends SmallWebRTCConnection, Pick<Peers, "answer" | "addCandidate" | "sendAudio"> {
  /** The bot listens: at this rate in Hz, or, by 0, to no sound. Once. */
  attach(caller: Caller, sampleRate: number): void;
  /** The bot's voice begins: the silence that was sent until now ends. Answers the timestamp to go on at. */
  beginVoice(): number;
  /** `listener` is told how much of what was sent got lost, in %. One at a time. */
  onLoss(listener: (percent: number) => void): void;
  /** See `Outbox.send`. */
  sendMessage(message: unknown): Promise<void>;
  /** Resolves when the caller can hear and be heard, the first time; never where that does not come. */
  readonly connected: Promise<void>;
  /** The caller is known to be gone by another way than this connection. */
  hungUp(): void;
  /** Tells the caller, closes the peer, releases everything. Resolves, never rejects, when that is done; twice is once. */
  close(reason: CloseReason): Promise<void>;
}

/** A client without a data channel is known by then. */
const channelTimeoutMs = 10_000;
/** How long a caller who is still on the way is waited for, to be told that there is nobody: below what a runner waits for. */
const arrivalMs = 1_500;
/** How long `peerLeft` may take to leave. */
const flushMs = 200;
/** What bots hear at unless they ask for another rate. Until the bot is there, sound is decoded so. */
const defaultSampleRate = 16_000;

export function createConnection(options: ConnectionOptions): Connection {
  const { logger, opus, pacer } = options;
  const { clock } = pacer;
  const reception = createReception();
  const { promise: left, resolve: resolveLeft } = Promise.withResolvers<CloseReason>();
  const { promise: connected, resolve: resolveConnected } = Promise.withResolvers<void>();
  const trackStatus = new Map<CallerTrack, boolean>();
  const timers = new Set<() => void>();
  let ears: IncomingAudio | undefined;
  let earsSampleRate = defaultSampleRate;
  let bot: Caller | undefined;
  /** The last peer whose data channel opened. */
  let channelOf: string | undefined;
  let skippedTexts = 0;
  let closing: Promise<void> | undefined;
  let leftWith: CloseReason | undefined;
  let lossListener: (percent: number) => void = () => undefined;

  const peers = createPeers(options, {
    began(before) {
      if (before !== undefined) outbox.replaced(before.packetsReceived);
      if (ears === undefined) listen();
      else ears.restart();
      if (peers.current !== undefined) liveness.watch(peers.current);
    },
    connected() {
      silence.begin();
      reception.connected();
      resolveConnected();
      if (peers.current?.offersChannel === true) after(channelTimeoutMs, () => channelOf ?? outbox.missing());
      else outbox.missing();
    },
    channelOpened() {
      channelOf = peers.pcId;
      outbox.opened();
    },
    closed: () => farewell.said(),
    audio: (packet) => ears?.push(packet),
    loss: (percent) => lossListener(percent),
    text: hear,
  });
  const farewell = createFarewell({ peers, clock, after, left: () => leave("caller-left") });
  const silence = createKeepaliveSilence(pacer, peers.sendAudio);
  const outbox = createOutbox(peers, clock);
  const liveness = createLiveness({
    pacer,
    callerTimeoutMs: options.callerTimeoutMs,
    gone(how) {
      logger.info(how === "silent" ? "The caller is silent on the wire." : "The caller found no way here.");
      leave(how === "silent" ? "caller-left" : "abandoned");
    },
  });

  function listen(): void {
    ears?.close();
    const sampleRate = earsSampleRate;
    const silent = sampleRate === 0 || closing !== undefined;
    ears = silent
      ? undefined
      : createIncomingAudio({ opus, sampleRate, pacer, onFrame: reception.audio, onDecoderFailed: deaf });
  }

  function deaf(error: unknown): void {
    logger.error({ err: error }, "No decoder could be made for the caller's voice.");
  }

  function after(delayMs: number, act: () => void): void {
    if (leftWith !== undefined) return;
    const cancel = clock.after(delayMs, () => {
      timers.delete(cancel);
      act();
    });
    timers.add(cancel);
  }

  function hear(text: string): void {
    const said = recogniseChannelText(text);
    if (said === undefined) {
      skippedTexts += 1;
      if (skippedTexts === 1) logger.warn("Skipped a message that is no JSON. Further ones are only counted.");
    } else if (said.kind === "app") reception.message(said.message, Buffer.byteLength(text));
    else if (said.kind === "trackStatus") {
      trackStatus.set(said.track, said.enabled);
      bot?.event("trackStatus", said.track, said.enabled);
    }
  }

  function leave(reason: CloseReason): void {
    if (leftWith !== undefined) return;
    leftWith = reason;
    // Who comes back now would find nobody: the bot may need seconds to end.
    void peers.seal();
    liveness.stop();
    silence.end();
    reception.left(reason);
    resolveLeft(reason);
  }

  async function close(reason: CloseReason): Promise<void> {
    leave(reason);
    for (const cancel of timers) cancel();
    outbox.close();
    ears?.close();
    await peers.seal();
    if (reason !== "caller-left") await sayGoodbye();
    logUnused();
    await peers.close();
  }

  /** One who is still on the way here would else try for half a minute to reach a peer that is closed. */
  async function sayGoodbye(): Promise<void> {
    const isOver = () => /^(new|failed|closed)$/.test(peers.current?.state ?? "new");
    if (channelOf !== peers.pcId && peers.current?.offersChannel === true)
      await waitUntil(() => peers.open || isOver(), arrivalMs);
    if (!peers.open) return;
    try {
      peers.sendText(signal("peerLeft"));
    } catch (err) {
      logger.debug({ err }, "the caller's data channel closed first");
    }
    await waitUntil(() => peers.bufferedBytes === 0, flushMs);
  }

  async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<void> {
    const untilMs = clock.now() + timeoutMs;
    while (!condition() && clock.now() < untilMs) await new Promise<void>((resolve) => void clock.after(10, resolve));
  }

  function logUnused(): void {
    const { audioMs, messages } = reception.dropped;
    const { messagesIgnored = 0, ...others } = peers.current?.counters ?? {};
    const unused = {
      skippedMessages: skippedTexts + messagesIgnored,
      unheardMessages: messages,
      unheardAudioMs: audioMs,
    };
    if (Object.values(unused).some((count) => count > 0)) logger.info(unused, "Not all that the caller sent was used");
    // Candidates of no use come from every browser, and stray datagrams from anywhere.
    logger.debug({ ...others, ...ears?.counters }, "what came of the caller's packets");
  }

  return {
    get pcId() {
      return peers.pcId;
    },
    get state() {
      if (closing !== undefined || leftWith !== undefined) return "closed";
      return peers.current?.state === "connected" ? "connected" : "waiting";
    },
    left,
    connected,
    hungUp: () => leave("caller-left"),
    answer: farewell.answer,
    addCandidate: peers.addCandidate,
    attach(caller, sampleRate) {
      bot = caller;
      if (sampleRate !== earsSampleRate) {
        earsSampleRate = sampleRate;
        if (peers.current !== undefined) listen();
      }
      for (const [track, enabled] of trackStatus) caller.event("trackStatus", track, enabled);
      reception.attach(caller);
    },
    sendAudio: peers.sendAudio,
    beginVoice: silence.end,
    onLoss(listener) {
      lossListener = listener;
    },
    sendMessage: outbox.send,
    renegotiate() {
      if (peers.open) peers.sendText(signal("renegotiate"));
    },
    close(reason) {
      closing ??= close(reason);
      return closing;
    },
  };
}
