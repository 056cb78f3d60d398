import {
  type Call,
  type CallerVideo,
  type CloseReason,
  createRateLimit,
  type Pacer,
  type VideoSource,
} from "@pipecat-ts/runner-core";
import type { SmallWebRTCConnection } from "./arguments.ts";
import { createDisconnectGrace, createLiveness } from "./liveness.ts";
import { parseChannelText, signal } from "./messages.ts";
import { createOutbox } from "./outbox.ts";
import { createPeers, type Peers, type PeersOptions } from "./peers.ts";
import { createVideoReceiver } from "./video/caller-video.ts";
import { createIncomingAudio, type IncomingAudio } from "./voice/incoming-audio.ts";
import type { Opus } from "./voice/opus.ts";
import { createKeepaliveSilence } from "./voice/outgoing-audio.ts";

export interface ConnectionOptions extends PeersOptions {
  readonly opus: Opus;
  readonly pacer: Pacer;
  /** How long a caller may send no packet, in ms. */
  readonly callerTimeoutMs: number;
}

/** The runner's side of a caller's connection. */
export interface Connection extends SmallWebRTCConnection, Pick<Peers, "answer" | "addCandidate" | "sendAudio"> {
  /** Reports the caller's activity to `call` from now on. Once. */
  reportTo(call: Call): void;
  /** Sets the sample rate of the caller's audio in Hz; 0 turns it off. */
  setInputSampleRate(sampleRate: number): void;
  /** Accepts the caller's video, and asks for a new offer if the caller has some. */
  acceptVideo(): CallerVideo;
  /** The sources of video in the caller's last offer. */
  readonly videoSources: readonly VideoSource[];
  /** Ends the keepalive silence. Returns the timestamp with which the bot's audio continues. */
  endKeepalive(): number;
  /** `listener` receives the share of our audio packets that was lost, in %. It replaces the one before. */
  onLoss(listener: (percent: number) => void): void;
  /** See `Outbox.send`. */
  sendMessage(message: unknown): Promise<void>;
  /** Resolves when the connection is up for the first time. Stays pending when it never is. */
  readonly connected: Promise<void>;
  /** The caller hung up through other signaling. */
  hungUp(): void;
  /** Tells the caller, closes the peer and releases everything. Never rejects; later calls return the same promise. */
  close(reason: CloseReason, deadline: AbortSignal): Promise<void>;
}

/** Within this time after connecting, a client opens its data channel, or has none. */
const channelTimeoutMs = 10_000;
/**
 * How long `close` waits for a caller that is still connecting, to tell it that the call is over, in ms. Connecting takes
 * about six round trips: 2 s on a slow mobile network.
 */
const connectingTimeoutMs = 4_000;
/** How long `close` waits for `peerLeft` to be sent. */
const flushTimeoutMs = 200;
/** The default of `audioInSampleRate`. The caller's audio is decoded at this rate until the bot has chosen one. */
const defaultSampleRate = 16_000;

/** Texts of a caller, pings included. A client sends a ping per second, and messages of which at most 100 per second reach the bot. */
const textRate = { perSecond: 1_000, burst: 2_000 };
/** The longest text that is parsed, in characters. The answer announces as many bytes. */
const maxTextLength = 65_536;

export function createConnection(options: ConnectionOptions): Connection {
  const { logger, opus, pacer } = options;
  const { clock } = pacer;
  const { promise: left, resolve: resolveLeft } = Promise.withResolvers<CloseReason>();
  const { promise: connected, resolve: resolveConnected } = Promise.withResolvers<void>();
  const timers = new Set<() => void>();
  const texts = createRateLimit(textRate, clock.now);
  let call: Call | undefined;
  let isConnected = false;
  let input: IncomingAudio | undefined;
  let inputSampleRate = defaultSampleRate;
  /** The last peer whose data channel opened. */
  let channelOf: string | undefined;
  let skippedMessages = 0;
  let acceptsVideo = false;
  let leftReason: CloseReason | undefined;
  let closing: Promise<void> | undefined;
  let lossListener: (percent: number) => void = () => undefined;

  const peers = createPeers(options, {
    started(previous) {
      if (previous !== undefined) outbox.replaced(previous.packetsReceived);
      if (input === undefined) openInput();
      else input.restart();
      if (peers.current !== undefined) liveness.watch(peers.current);
      video.restart();
    },
    connected() {
      keepalive.begin();
      isConnected = true;
      resolveConnected();
      call?.connected();
      if (peers.current?.offersChannel === true) after(channelTimeoutMs, () => channelOf ?? outbox.unsupported());
      else outbox.unsupported();
    },
    channelOpened() {
      channelOf = peers.pcId;
      outbox.opened();
      offerVideoAgain();
    },
    closed: () => grace.begin(),
    audio: (packet) => input?.push(packet),
    video: (packet) => video.push(packet),
    loss: (percent) => lossListener(percent),
    text: receiveText,
  });
  const video = createVideoReceiver({ peerVideo: () => peers.current?.video, clock });
  const grace = createDisconnectGrace({ peers, clock, after, expired: () => leave("caller-left") });
  const keepalive = createKeepaliveSilence(pacer, peers.sendAudio);
  const outbox = createOutbox(peers, clock);
  const liveness = createLiveness({
    pacer,
    callerTimeoutMs: options.callerTimeoutMs,
    timedOut(wasConnected) {
      logger.info({ wasConnected }, "caller timed out");
      leave(wasConnected ? "caller-left" : "abandoned");
    },
  });

  function openInput(): void {
    input?.close();
    const enabled = inputSampleRate > 0 && closing === undefined;
    input = enabled
      ? createIncomingAudio({
          opus,
          sampleRate: inputSampleRate,
          pacer,
          onFrame: (frame) => call?.audio(frame),
          onDecoderFailed: (err) => logger.error({ err }, "decoder failed"),
        })
      : undefined;
  }

  /** Acts after a delay, unless the caller has left by then. */
  function after(delayMs: number, act: () => void): void {
    if (leftReason !== undefined) return;
    const cancel = clock.after(delayMs, () => {
      timers.delete(cancel);
      act();
    });
    timers.add(cancel);
  }

  function receiveText(text: string): void {
    if (leftReason !== undefined) return;
    if (!texts.take()) {
      logger.warn(textRate, "caller disconnected: too many texts on the data channel");
      leave("rate-exceeded");
      return;
    }
    const received = text.length > maxTextLength ? undefined : parseChannelText(text);
    if (received === undefined) {
      skippedMessages += 1;
      if (skippedMessages === 1) logger.warn("message skipped: not JSON, too complex or too long"); // Further ones are only counted.
    } else if (received.kind === "app") call?.message(received.message);
    else if (received.kind === "trackStatus") {
      const { track, enabled } = received;
      if (track !== "microphone") video.setEnabled(track, enabled);
      call?.event("trackStatus", track, enabled);
    }
  }

  /** The bot's params may be known only after the first answer, which then left the video inactive. */
  function offerVideoAgain(): void {
    const { offered = [], accepted = true } = peers.current?.video ?? {};
    if (acceptsVideo && offered.length > 0 && !accepted) renegotiate();
  }

  function renegotiate(): void {
    if (peers.open) peers.sendText(signal("renegotiate"));
  }

  function leave(reason: CloseReason): void {
    if (leftReason !== undefined) return;
    stop(reason);
    call?.left(reason);
  }

  function stop(reason: CloseReason): void {
    if (leftReason !== undefined) return;
    leftReason = reason;
    // A caller who returned now would reach a bot that is about to end.
    void peers.seal();
    liveness.stop();
    keepalive.end();
    video.close();
    resolveLeft(reason);
  }

  async function close(reason: CloseReason, deadline: AbortSignal): Promise<void> {
    stop(reason);
    for (const cancel of timers) cancel();
    outbox.close();
    input?.close();
    await peers.seal();
    if (reason !== "caller-left") await sendPeerLeft(deadline);
    logCounters();
    await peers.close();
  }

  /** Tells the caller that the call is over. A caller that is still connecting would otherwise try for half a minute. */
  async function sendPeerLeft(deadline: AbortSignal): Promise<void> {
    const hasEnded = () => /^(new|failed|closed)$/.test(peers.current?.state ?? "new");
    if (channelOf !== peers.pcId && peers.current?.offersChannel === true)
      await waitUntil(() => peers.open || hasEnded(), connectingTimeoutMs, deadline);
    if (!peers.open) return;
    try {
      peers.sendText(signal("peerLeft"));
    } catch (err) {
      logger.debug({ err }, "data channel closed before peerLeft was sent");
    }
    await waitUntil(() => peers.bufferedBytes === 0, flushTimeoutMs, deadline);
  }

  async function waitUntil(condition: () => boolean, timeoutMs: number, deadline: AbortSignal): Promise<void> {
    const untilMs = clock.now() + timeoutMs;
    while (!condition() && clock.now() < untilMs && !deadline.aborted)
      await new Promise<void>((resolve) => void clock.after(10, resolve));
  }

  function logCounters(): void {
    const { messagesIgnored = 0, ...counters } = peers.current?.counters ?? {};
    const skipped = skippedMessages + messagesIgnored;
    if (skipped > 0) logger.info({ skippedMessages: skipped }, "messages skipped");
    // Every browser sends unusable candidates, and stray datagrams come from anywhere.
    logger.debug({ ...counters, ...input?.counters }, "packets received");
  }

  return {
    get pcId() {
      return peers.pcId;
    },
    get state() {
      if (leftReason !== undefined) return "closed";
      return peers.current?.state === "connected" ? "connected" : "waiting";
    },
    left,
    connected,
    reportTo(reported) {
      call = reported;
      if (isConnected) call.connected();
      if (leftReason !== undefined) call.left(leftReason);
    },
    setInputSampleRate(sampleRate) {
      if (sampleRate === inputSampleRate) return;
      inputSampleRate = sampleRate;
      if (peers.current !== undefined) openInput();
    },
    acceptVideo() {
      acceptsVideo = true;
      peers.acceptVideo();
      offerVideoAgain();
      return video.video;
    },
    get videoSources() {
      return peers.current?.video.offered ?? [];
    },
    endKeepalive: keepalive.end,
    onLoss(listener) {
      lossListener = listener;
    },
    answer: grace.answer,
    addCandidate: peers.addCandidate,
    sendAudio: peers.sendAudio,
    sendMessage: outbox.send,
    renegotiate,
    hungUp: () => leave("caller-left"),
    close(reason, deadline) {
      closing ??= close(reason, deadline);
      return closing;
    },
  };
}
