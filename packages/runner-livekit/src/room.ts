import { type AudioFrame, createMixer, durationMs } from "@pipecat-ts/audio";
import { type Call, type Clock, createRateLimit, type Logger, parseJson, RunnerError } from "@pipecat-ts/runner-core";
import type { LiveKitParticipant, RoomListener } from "./client.ts";
import type { LiveKitTransportEvents } from "./transport.ts";

/** The state of one room, as its bot sees it. */
export interface Room {
  /** Reports the events of the room to the bot. */
  readonly listener: RoomListener;
  /** The bot itself. Throws before it has joined. */
  readonly local: LiveKitParticipant;
  /** The other participants, by identity. */
  readonly participants: ReadonlyMap<string, LiveKitParticipant>;
  emit<E extends keyof LiveKitTransportEvents>(event: E, ...args: LiveKitTransportEvents[E]): void;
  /** The bot left: stops all timers. */
  stop(): void;
}

export interface RoomOptions {
  readonly call: Call;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Sample rate of the callers' mixed audio, in Hz. */
  readonly sampleRateIn: number;
  /** How long the bot waits for the first caller, in ms; `Infinity` waits without limit. */
  readonly emptyRoomTimeoutMs: number;
  /** Default: all callers belong to this call. */
  readonly isOwnCaller?: OwnCallerCheck;
}

/**
 * Whether a participant belongs to this call. Not called for agents. Until such a caller has joined, or the bot has waited for
 * `emptyRoomTimeoutMs`, the departure of others does not end the call. `wasPresent`: the participant joined before the bot.
 */
export type OwnCallerCheck = (participant: LiveKitParticipant, wasPresent: boolean) => boolean;

/** Further participants are not announced to the bot, and do not count as callers. */
const maxParticipants = 1_000;
/** The loudest speakers that are reported. */
const maxSpeakers = 50;
/**
 * How long a bot waits for a caller whose departure LiveKit gives no reason for, in ms: a caller that joins again with the same
 * identity, and a bot that connects again, lose and get back their participants within milliseconds.
 */
const returnTimeoutMs = 1_000;
/** Data packets of all participants. At most 100 messages per second reach the bot. */
const packetRate = { perSecond: 1_000, burst: 2_000 };
/** LiveKit carries at most 64,000 bytes in a packet. */
const maxPacketBytes = 65_536;

/** Converts the events of a room. Agents are announced, but are not callers. */
export function createRoom(options: RoomOptions): Room {
  const { call, clock, logger, sampleRateIn, emptyRoomTimeoutMs, isOwnCaller = () => true } = options;
  const participants = new Map<string, LiveKitParticipant>();
  const mixer = createMixer(sampleRateIn, (frame) => call.audio(frame));
  const mediaReady = createMediaReady(clock, () => call.connected());
  const packets = createRateLimit(packetRate, clock.now);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let local: LiveKitParticipant | undefined;
  let hadCaller = false;
  /** No caller of this call has joined yet, and the time to wait for one has not passed. */
  let isExpecting = true;
  let isReconnecting = false;
  let isFull = false;
  let skippedPackets = 0;
  let stopWaiting: (() => void) | undefined;

  const emit: Room["emit"] = (event, ...args) => call.event(event, ...args);
  const isAlone = () => [...participants.values()].every(isAgent);

  /** Ends the call after a delay, unless a caller is present by then. */
  function waitForCaller(delayMs: number, text: string): void {
    stopWaiting?.();
    stopWaiting = clock.after(delayMs, () => {
      isExpecting = false;
      if (!isAlone() || isReconnecting) return;
      logger.info(text);
      call.left();
    });
  }

  function joined(participant: LiveKitParticipant, wasPresent = false): void {
    if (participants.size >= maxParticipants && !participants.has(participant.identity)) {
      if (!isFull) logger.warn({ maxParticipants }, "participant ignored: too many in the room");
      isFull = true;
      return;
    }
    participants.set(participant.identity, participant);
    if (!isAgent(participant)) {
      if (isOwnCaller(participant, wasPresent)) isExpecting = false;
      if (!isExpecting) stopWaiting?.();
      if (!hadCaller) emit("firstParticipantJoined", participant);
      hadCaller = true;
    }
    emit("participantJoined", participant);
    if (!isAgent(participant)) mediaReady.joined(isAnswered(participant));
  }

  function attributesChanged(participant: LiveKitParticipant): void {
    if (!participants.has(participant.identity)) return;
    participants.set(participant.identity, participant);
    emit("participantAttributesChanged", participant);
    if (!isAgent(participant)) mediaReady.joined(isAnswered(participant));
  }

  function left(identity: string, reason: string | undefined): void {
    const participant = participants.get(identity);
    if (!participant) return;
    participants.delete(identity);
    if (reason === undefined) emit("participantLeft", participant);
    else emit("participantLeft", participant, reason);
    if (isAgent(participant) || !isAlone()) return;
    mediaReady.left();
    if (isExpecting) return;
    if (reason === undefined) waitForCaller(returnTimeoutMs, "the last caller did not return to the room");
    else call.left();
  }

  function receive(data: Uint8Array, sender: string | undefined): void {
    if (!packets.take()) {
      logger.warn(packetRate, "caller disconnected: too many data packets");
      call.left("rate-exceeded");
      return;
    }
    const message = data.length > maxPacketBytes ? undefined : parseMessage(data);
    if (message !== undefined) call.message(message, sender);
    else skippedPackets += 1;
    if (message === undefined && skippedPackets === 1)
      logger.warn("data packet skipped: not a JSON object, too complex or too long"); // Further ones are only counted.
  }

  function parseMessage(data: Uint8Array): object | undefined {
    try {
      const { value } = parseJson(decoder.decode(data));
      return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
    } catch {
      return undefined; // The bytes are not UTF-8.
    }
  }

  return {
    listener: {
      joined(participant) {
        local = participant;
        emit("joined", participant);
        if (Number.isFinite(emptyRoomTimeoutMs)) waitForCaller(emptyRoomTimeoutMs, "no caller joined the room");
      },
      participantJoined: joined,
      participantLeft: left,
      attributesChanged,
      audio(identity, frame) {
        // A phone that rings may send a ringing tone.
        if (callStatus(participants.get(identity)) !== "dialing") mediaReady.received(frame);
        mixer.push(identity, frame);
      },
      audioSubscribed(identity, subscribed) {
        const participant = participants.get(identity);
        if (participant) emit(subscribed ? "audioTrackSubscribed" : "audioTrackUnsubscribed", participant);
      },
      // In a room with other agents, one of them may be the first to receive the bot's audio.
      heard: () => [...participants.values()].some(isAgent) || mediaReady.heard(),
      data: receive,
      dtmf: (key) => call.dtmf(key),
      activeSpeakers: (identities) => emit("activeSpeakersChanged", identities.slice(0, maxSpeakers)),
      reconnecting() {
        isReconnecting = true;
        emit("reconnecting");
      },
      reconnected() {
        isReconnecting = false;
        emit("reconnected");
        if (!isAlone() || isExpecting) return;
        const text = hadCaller ? "the last caller left while the bot reconnected" : "no caller joined the room";
        waitForCaller(returnTimeoutMs, text);
      },
      failed(err) {
        logger.error({ err }, "event of the room not handled");
        call.error(err);
      },
      disconnected(reason) {
        // LiveKit closes a room in which no caller is.
        if (reason === "ROOM_CLOSED" && isExpecting) {
          logger.info("no caller joined the room before LiveKit closed it");
          call.left();
          return;
        }
        call.error(callLost(reason));
        call.left("transport-failed");
      },
    },
    get local() {
      if (local) return local;
      throw new Error("The bot has not joined its room.");
    },
    participants,
    emit,
    stop() {
      stopWaiting?.();
      mediaReady.stop();
    },
  };
}

function isAgent({ kind }: LiveKitParticipant): boolean {
  return kind === "agent";
}

/** The attribute with which LiveKit SIP reports the progress of a phone call. https://docs.livekit.io/reference/telephony/sip-participant/ */
function callStatus(participant: LiveKitParticipant | undefined): string | undefined {
  return participant?.attributes["sip.callStatus"];
}

/** LiveKit SIP lets a phone join before it rings. */
function isAnswered(participant: LiveKitParticipant): boolean {
  return participant.kind !== "sip" || callStatus(participant) === "active";
}

/** What the reasons of LiveKit mean for a bot. https://docs.livekit.io/reference/internals/client-protocol/ */
const disconnectFixes: Readonly<Record<string, string>> = {
  DUPLICATE_IDENTITY:
    "Another participant joined with the bot's token. Use each token once, and keep the bot's token secret.",
  PARTICIPANT_REMOVED: "Somebody removed the bot from the room.",
  ROOM_DELETED: "Somebody deleted the room.",
  ROOM_CLOSED: "The room was closed.",
  SERVER_SHUTDOWN: "The LiveKit server stopped.",
};

function callLost(reason: string): RunnerError {
  return new RunnerError("LIVEKIT_CALL_LOST", `The bot lost its room: ${reason}.`, {
    status: 502,
    fix: disconnectFixes[reason] ?? "Check the LiveKit server, and the network path to it.",
  });
}

/** Detects when the first caller can hear the bot. */
interface MediaReady {
  /** A caller joined. A phone that is not answered yet is reported again when it is. */
  joined(isAnswered: boolean): void;
  /** A participant receives the bot's audio. */
  heard(): void;
  /** Audio of a caller arrived; it may be silence. */
  received(frame: AudioFrame): void;
  /** The last caller left. Another one may join. */
  left(): void;
  stop(): void;
}

/** After this much received audio, the connection works in the other direction too. */
const receivedMs = 300;
/** The delay for callers who neither send audio nor subscribe to the bot's. */
const silentMs = 2_000;

/** LiveKit announces participants before their media connection works: a greeting at that time would be lost. */
function createMediaReady(clock: Clock, ready: () => void): MediaReady {
  let hasCaller = false;
  let isHeard = false;
  let totalMs = 0;
  let stopWaiting: (() => void) | undefined;
  let done = false;

  function stop(): void {
    done = true;
    stopWaiting?.();
  }

  function check(): void {
    if (done || !hasCaller || !(isHeard || totalMs >= receivedMs)) return;
    stop();
    ready();
  }

  return {
    joined(isAnswered) {
      hasCaller = true;
      check();
      if (done || !isAnswered) return;
      stopWaiting ??= clock.after(silentMs, () => {
        isHeard = true;
        check();
      });
    },
    heard() {
      isHeard = true;
      check();
    },
    received(frame) {
      if (done) return;
      totalMs += durationMs(frame);
      check();
    },
    left() {
      hasCaller = false;
      isHeard = false;
      totalMs = 0;
      stopWaiting?.();
      stopWaiting = undefined;
    },
    stop,
  };
}
