import type { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import type * as rtc from "@livekit/rtc-node";
import { RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import type { JoinRequest, LiveKitClient, LiveKitParticipant, RoomConnection, RoomListener } from "./client.ts";
import { joinError } from "./join-error.ts";
import { createJoinQueue, type JoinQueue } from "./join-queue.ts";
import { createRtcMicrophone, type RtcMicrophone } from "./rtc-microphone.ts";
import { createSdkRoom, leaveRoom } from "./sdk-room.ts";

type Sdk = typeof rtc;

const require = createRequire(import.meta.url);
const sdkName = "@livekit/rtc-node";

/** The default LiveKit client: `@livekit/rtc-node`, which is loaded when the first bot joins a room. */
export function createRtcClient(): LiveKitClient {
  return {
    check() {
      try {
        findNativePart();
        return { state: "ready" };
      } catch {
        const { message: reason, fix = "" } = sdkMissing();
        return { state: "limited", reason, fix };
      }
    },
    join: async (request, listener) => await joinRoom(loadSdk(), request, listener),
  };
}

/** Throws unless the native part of the SDK is installed, which npm selects by platform. */
function findNativePart(): void {
  const suffix = ({ linux: "-gnu", win32: "-msvc" } as Readonly<Record<string, string>>)[process.platform] ?? "";
  const bindings = createRequire(require.resolve(sdkName)).resolve("@livekit/rtc-ffi-bindings");
  createRequire(bindings).resolve(`@livekit/rtc-ffi-bindings-${process.platform}-${process.arch}${suffix}`);
}

/** The SDK, loaded by the first call. Throws LIVEKIT_SDK_MISSING. */
export function loadSdk(): Sdk {
  try {
    const sdk = require(sdkName) as Sdk;
    silence();
    return sdk;
  } catch (cause) {
    throw sdkMissing(cause);
  }
}

/** The SDK logs to stdout, with identities of participants. It has no setting for that. */
function silence(): void {
  const { log } = require(require.resolve(sdkName).replace(/index\.cjs$/, "log.cjs")) as { log: { level: string } };
  log.level = "silent";
}

function sdkMissing(cause?: unknown): RunnerError {
  const platform = `${process.platform} ${process.arch}`;
  const message = `Bots cannot join rooms: ${sdkName} or its native part for ${platform} cannot be loaded.`;
  const fix = `Run npm install ${sdkName} without --omit=optional. It runs on Linux with glibc, macOS and 64-bit Windows.`;
  return new RunnerError("LIVEKIT_SDK_MISSING", message, { status: 503, fix, cause });
}

/**
 * How many rooms are joined at the same time. While `@livekit/rtc-node` 1.1 joins many rooms at once, it blocks the process for seconds,
 * and afterwards delivers no audio to some of them: seen with 6 of 40 joins at once on 2 cores, and not with 2. More than one, so that a
 * join that hangs does not delay all others.
 */
export const joinsAtOnce: number = 2;
/** How long the SDK's join of a bot that gave up delays other joins, in ms. */
const abandonedMs = 10_000;
/** All clients of a process share the SDK, and its limits. */
const queues = new WeakMap<Sdk, JoinQueue>();

function queueOf(sdk: Sdk): JoinQueue {
  const queue = queues.get(sdk) ?? createJoinQueue(joinsAtOnce);
  queues.set(sdk, queue);
  return queue;
}

/** See `LiveKitClient.join`. */
export async function joinRoom(sdk: Sdk, request: JoinRequest, listener: RoomListener): Promise<RoomConnection> {
  const { signal, timeoutMs } = request;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  try {
    const stop = AbortSignal.any([signal, late.signal]);
    const endTurn = await queueOf(sdk).enter(stop);
    if (endTurn === undefined) throw signal.aborted ? callEnded() : busy(timeoutMs);
    return await joinNow(createRtcRoom(sdk, request, listener), request, stop, endTurn);
  } finally {
    clearTimeout(timer);
  }
}

async function joinNow(
  room: RtcRoom,
  { signal, timeoutMs }: JoinRequest,
  stop: AbortSignal,
  endTurn: () => void,
): Promise<RoomConnection> {
  const joining = room.join();
  joining.then(endTurn, endTurn);
  try {
    const settled = await withTimeout(joining, stop);
    if (signal.aborted) throw callEnded();
    if (!settled) throw joinTimeout(timeoutMs);
    await joining;
    return room.connection;
  } catch (error) {
    // The SDK cannot abort a join: the bot leaves when it has joined.
    room.abandon();
    const timer = setTimeout(endTurn, abandonedMs).unref();
    const settled = joining.catch(() => undefined).finally(() => clearTimeout(timer));
    void settled.then(room.connection.close);
    throw error;
  }
}

function callEnded(): RunnerError {
  return new RunnerError("CALL_ENDED", "The bot has left its room.");
}

function joinTimeout(timeoutMs: number): RunnerError {
  return new RunnerError("LIVEKIT_JOIN_TIMEOUT", `The room could not be joined within ${timeoutMs / 1000} s.`, {
    status: 504,
    fix: "Check the load of this machine and its network path to LiveKit, or raise --livekit-join-timeout.",
  });
}

function busy(timeoutMs: number): RunnerError {
  return new RunnerError("LIVEKIT_JOIN_TIMEOUT", `Other rooms were being joined for ${timeoutMs / 1000} s.`, {
    status: 504,
    fix: "Check the load of this machine, start fewer calls at once, or raise --livekit-join-timeout.",
  });
}

/** Participants whose audio the bot receives at the same time: each costs a decoder. */
const maxAudible = 50;
const maxNameLength = 256;
const maxMetadataLength = 16_384;
/** Of the names and values of all attributes of a participant. */
const maxAttributesLength = 16_384;

interface RtcRoom {
  readonly connection: RoomConnection;
  join(): Promise<void>;
  /** Reports nothing from now on. The room must still be closed. */
  abandon(): void;
}

/** The events of the SDK's rooms that bots use. The SDK does not export their types. */
interface RoomEvents {
  participantConnected: [participant: rtc.RemoteParticipant];
  participantDisconnected: [participant: rtc.RemoteParticipant];
  /** The SDK omits a participant that it does not know yet. */
  trackPublished: [publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant | undefined];
  trackUnpublished: [publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant];
  trackSubscribed: [
    track: rtc.RemoteTrack,
    publication: rtc.RemoteTrackPublication,
    participant: rtc.RemoteParticipant,
  ];
  localTrackSubscribed: [];
  dataReceived: [data: Uint8Array, sender: rtc.RemoteParticipant | undefined];
  dtmfReceived: [code: number, digit: string];
  participantAttributesChanged: [changed: Readonly<Record<string, string>>, participant: rtc.Participant];
  activeSpeakersChanged: [speakers: readonly rtc.Participant[]];
  reconnecting: [];
  reconnected: [];
  disconnected: [reason: rtc.DisconnectReason];
}

/** One room of the SDK. Events that occur before the bot has joined are delivered afterwards. */
function createRtcRoom(sdk: Sdk, request: JoinRequest, listener: RoomListener): RtcRoom {
  const { sampleRateIn, sampleRateOut, hearsAgents = false } = request;
  const room = createSdkRoom(sdk);
  const muted = new Set<string>();
  /** The track of each participant that the bot receives, and what reads it. */
  const audible = new Map<string, { readonly sid: string | undefined; reader?: AudioReader }>();
  let early: (() => void)[] | undefined = [];
  let microphone: RtcMicrophone | undefined;
  /** Nothing is reported and sent anymore. */
  let isOver = false;
  let closing: Promise<void> | undefined;

  function on<Event extends keyof RoomEvents>(event: Event, handle: (...args: RoomEvents[Event]) => void): void {
    (room as unknown as EventEmitter).on(event, (...args: RoomEvents[Event]) => {
      const deliver = () => {
        try {
          if (!isOver) handle(...args);
        } catch (error) {
          // The SDK would let it reach the process.
          listener.failed(error as Error);
        }
      };
      if (early) early.push(deliver);
      else deliver();
    });
  }

  function subscribe(publication: rtc.RemoteTrackPublication, { identity, kind }: rtc.RemoteParticipant): void {
    const isMicrophone = publication.source === sdk.TrackSource.SOURCE_MICROPHONE;
    const isUnheard = kind === sdk.ParticipantKind.AGENT && !hearsAgents;
    if (sampleRateIn === undefined || !isMicrophone || isUnheard || muted.has(identity)) return;
    if (audible.get(identity)?.sid === publication.sid) return;
    if (audible.size >= maxAudible && !audible.has(identity)) return;
    unsubscribe(identity);
    audible.set(identity, { sid: publication.sid });
    publication.setSubscribed(true);
  }

  function subscribeTo(participant: rtc.RemoteParticipant): void {
    for (const publication of participant.trackPublications.values()) subscribe(publication, participant);
  }

  /** Another participant gets the place of this one. */
  function passPlaceOn(identity: string): void {
    unsubscribe(identity);
    for (const other of room.remoteParticipants.values()) if (!audible.has(other.identity)) subscribeTo(other);
  }

  function unsubscribe(identity: string): void {
    const entry = audible.get(identity);
    if (entry === undefined) return;
    audible.delete(identity);
    stopReading(identity, entry.reader);
    const publications = room.remoteParticipants.get(identity)?.trackPublications;
    if (entry.sid !== undefined) publications?.get(entry.sid)?.setSubscribed(false);
  }

  function read(audioTrack: rtc.RemoteTrack, publication: rtc.RemoteTrackPublication, identity: string): void {
    const entry = audible.get(identity);
    if (entry === undefined || entry.sid !== publication.sid || sampleRateIn === undefined) return;
    const stream = new sdk.AudioStream(audioTrack, { sampleRate: sampleRateIn, numChannels: 1, frameSizeMs: 20 });
    const reader: AudioReader = stream.getReader();
    entry.reader = reader;
    readAll(reader, (frame) => {
      if (!isOver && entry.reader === reader) {
        listener.audio(identity, { samples: frame.data, sampleRate: frame.sampleRate, channels: 1 });
      }
    }).catch((error: Error) => isOver || listener.failed(error));
    listener.audioSubscribed(identity, true);
  }

  function stopReading(identity: string, reader: AudioReader | undefined): void {
    if (reader === undefined) return;
    void reader.cancel().catch(() => undefined); // Its track may be gone.
    listener.audioSubscribed(identity, false);
  }

  on("participantConnected", (participant) => {
    listener.participantJoined(toParticipant(sdk, participant), false);
    subscribeTo(participant);
  });
  on("participantDisconnected", (participant) => {
    passPlaceOn(participant.identity);
    listener.participantLeft(participant.identity, reasonOf(sdk, participant.disconnectReason));
  });
  on("trackPublished", (publication, participant) => participant && subscribe(publication, participant));
  on("trackUnpublished", ({ sid }, { identity }) => {
    if (audible.get(identity)?.sid === sid) passPlaceOn(identity);
  });
  on("trackSubscribed", (audioTrack, publication, { identity }) => read(audioTrack, publication, identity));
  on("localTrackSubscribed", () => listener.heard());
  on("dataReceived", (data, sender) => listener.data(data, sender?.identity));
  on("dtmfReceived", (_code, digit) => listener.dtmf(digit));
  on("participantAttributesChanged", (_, participant) => listener.attributesChanged(toParticipant(sdk, participant)));
  on("activeSpeakersChanged", (speakers) => listener.activeSpeakers(speakers.map(({ identity }) => identity)));
  on("reconnecting", () => listener.reconnecting());
  on("reconnected", () => listener.reconnected());
  on("disconnected", (reason) => {
    void connection.close();
    listener.disconnected(reasonOf(sdk, reason) ?? "the connection was lost");
  });

  async function ask(act: (local: rtc.LocalParticipant) => Promise<unknown>, name: string): Promise<void> {
    if (isOver || !room.localParticipant) throw callEnded();
    try {
      await act(room.localParticipant);
    } catch (error) {
      throw isOver ? callEnded() : requestError(name, error);
    }
  }

  async function close(): Promise<void> {
    for (const { reader } of audible.values()) void reader?.cancel().catch(() => undefined);
    audible.clear();
    await microphone?.close();
    await leaveRoom(room);
  }

  const connection: RoomConnection = {
    sendAudio(samples) {
      if (!isOver) microphone?.send(samples);
    },
    clearAudio() {
      if (!isOver) microphone?.clear();
    },
    sendData(data, to) {
      const destination = to !== undefined && { destination_identities: [to] };
      return ask((local) => local.publishData(data, { reliable: true, ...destination }), "a message");
    },
    sendDtmf: (code, key) => ask((local) => local.publishDtmf(code, key), "a key"),
    setMetadata: (metadata) => ask((local) => local.updateMetadata(metadata), "metadata"),
    setSubscribed(identity, subscribed) {
      if (subscribed) muted.delete(identity);
      else muted.add(identity);
      if (!subscribed) return passPlaceOn(identity);
      const participant = room.remoteParticipants.get(identity);
      if (participant) subscribeTo(participant);
    },
    close() {
      isOver = true;
      closing ??= close();
      return closing;
    },
  };

  return {
    connection,
    abandon() {
      isOver = true;
    },
    async join() {
      let present: readonly rtc.RemoteParticipant[];
      try {
        // Video and the audio of agents are not received.
        await room.connect(request.url, request.token, { autoSubscribe: false, dynacast: false });
        if (isOver) throw callEnded();
        // Of those who come and go from now on, the SDK emits events.
        present = [...room.remoteParticipants.values()];
        if (sampleRateOut !== undefined) {
          microphone = createRtcMicrophone(sdk, "pipecat-audio", sampleRateOut);
          await microphone.publish(room);
        }
      } catch (error) {
        throw isOver ? callEnded() : joinError(error);
      }
      if (isOver || !room.localParticipant) throw callEnded();
      listener.joined(toParticipant(sdk, room.localParticipant));
      const events = early ?? [];
      early = undefined;
      for (const participant of present) listener.participantJoined(toParticipant(sdk, participant), true);
      for (const participant of room.remoteParticipants.values()) subscribeTo(participant);
      for (const deliver of events) deliver();
    },
  };
}

type AudioReader = ReadableStreamDefaultReader<rtc.AudioFrame>;

async function readAll(reader: AudioReader, take: (frame: rtc.AudioFrame) => void): Promise<void> {
  for (let next = await reader.read(); !next.done; next = await reader.read()) take(next.value);
}

function toParticipant(sdk: Sdk, participant: rtc.Participant): LiveKitParticipant {
  const { identity, name = "", metadata, attributes, kind } = participant;
  return {
    identity,
    name: name.slice(0, maxNameLength),
    metadata: metadata.slice(0, maxMetadataLength),
    attributes: boundAttributes(attributes),
    kind: sdk.ParticipantKind[kind]?.toLowerCase() ?? "standard",
  };
}

function boundAttributes(attributes: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  let length = 0;
  const entries = Object.entries(attributes).filter(([name, value]) => {
    const fits = length + name.length + value.length <= maxAttributesLength;
    if (fits) length += name.length + value.length;
    return fits;
  });
  return Object.fromEntries(entries);
}

/** `CLIENT_INITIATED`, `DUPLICATE_IDENTITY`, … */
function reasonOf(sdk: Sdk, reason: rtc.DisconnectReason | undefined): string | undefined {
  return reason ? sdk.DisconnectReason[reason] : undefined;
}

function requestError(name: string, error: unknown): RunnerError {
  const { message } = error as Error;
  if (message.includes("maximum message size")) {
    return new RunnerError(
      "MESSAGE_TOO_LARGE",
      "The message is too large: LiveKit accepts 64,000 bytes with its header.",
      {
        fix: "Split it, or send a URL that the caller can fetch.",
      },
    );
  }
  return new RunnerError("LIVEKIT_FAILED", `LiveKit did not take ${name}: ${message.slice(0, 200)}.`, { status: 502 });
}
