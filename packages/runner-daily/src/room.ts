import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import { type Call, type Clock, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import { redactPhoneNumbers } from "./api.ts";
import type { DailyCallListener, DailyEvent } from "./client.ts";
import { createParticipants, type DailyParticipant, isBot, toParticipant } from "./participants.ts";
import type { RoomAudio } from "./room-audio.ts";
import { type DailyTransportEvents, forwardedEvents } from "./transport.ts";

/** How long a phone caller may take to join after the call was connected to the room, in ms. */
const phoneCallerMs = 60_000;
/** How long to wait for another SIP address when no address accepted the phone call, in ms. */
const nextAddressMs = 10_000;

/** The state of one room, as its bot sees it. */
export interface Room {
  /** Reports the events of the room to the bot. */
  readonly listener: DailyCallListener;
  /** The bot itself, once it has joined. */
  readonly local: DailyParticipant | undefined;
  /** The other participants. */
  readonly participants: ReadonlyMap<string, DailyParticipant>;
  emit<E extends keyof DailyTransportEvents>(event: E, ...args: DailyTransportEvents[E]): void;
  /** The bot left: stops all timers. */
  stop(): void;
}

export interface RoomOptions {
  readonly call: Call;
  readonly audio: Pick<RoomAudio, "push" | "left">;
  /** Takes all events of daily-js. */
  event(event: DailyEvent): void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the bot waits for the first caller, in ms; `Infinity` waits until the room expires. */
  readonly emptyRoomTimeoutMs: number;
  /** Connects the phone call that is on hold to the room; `undefined` without one. */
  readonly connectPhoneCall?: ((sipEndpoint: string) => Promise<void>) | undefined;
  /** Default: all callers belong to this call. */
  readonly isOwnCaller?: OwnCallerCheck | undefined;
}

/**
 * Whether a participant belongs to this call. Not called for bots. Until such a caller has joined, or the bot has waited for
 * `emptyRoomTimeoutMs`, the departure of others does not end the call. `wasPresent`: the participant joined before the bot.
 */
export type OwnCallerCheck = (participant: DailyParticipant, wasPresent: boolean) => boolean;

/**
 * Converts the events of daily-js. Participants with `botUserData` are bots of other sessions: they are announced, but are
 * not callers.
 */
export function createRoom(options: RoomOptions): Room {
  const { call, audio, clock, logger, emptyRoomTimeoutMs, connectPhoneCall, isOwnCaller = () => true } = options;
  const participants = createParticipants();
  const mediaReady = createMediaReady(clock, () => call.connected());
  let local: DailyParticipant | undefined;
  let hadCaller = false;
  let isStopped = false;
  /** No caller of this call has joined yet, and the time to wait for one has not passed. */
  let isExpecting = true;
  let stopWaiting: (() => void) | undefined;
  /** Whether no phone call is on hold any more. */
  let phoneCallConnected: Promise<boolean> = Promise.resolve(connectPhoneCall === undefined);

  const emit: Room["emit"] = (event, ...args) => call.event(event, ...args);

  const isAlone = () => [...participants.byId.values()].every(isBot);

  /** After `ms`, calls `end`, or lets the departure of others end the call; unless its caller joins or `endAfter` is called again. */
  function endAfter(ms: number, end: () => void): void {
    stopWaiting?.();
    if (!isExpecting || isStopped || !Number.isFinite(ms)) return;
    stopWaiting = clock.after(ms, () => {
      isExpecting = false;
      if (isAlone()) end();
    });
  }

  function noCaller(): void {
    logger.info("no caller joined the room");
    call.left();
  }

  function update(value: unknown, { isUpdate = false, wasPresent = false } = {}): void {
    const change = participants.update(value);
    if (!change) return;
    const { participant, isNew } = change;
    if (!isNew) {
      if (isUpdate) emit("participantUpdated", participant);
      return;
    }
    const isCaller = !isBot(participant);
    if (isCaller && isOwnCaller(participant, wasPresent)) {
      isExpecting = false;
      stopWaiting?.();
    }
    if (isCaller && !hadCaller) {
      hadCaller = true;
      emit("firstParticipantJoined", participant);
    }
    emit("participantJoined", participant);
    if (isCaller) mediaReady.joined();
  }

  function left({ participant: value, reason }: DailyEvent): void {
    const participant = participants.remove(value);
    if (!participant) return;
    audio.left(participant.id);
    if (typeof reason === "string") emit("participantLeft", participant, reason);
    else emit("participantLeft", participant);
    if (isBot(participant) || !isAlone()) return;
    mediaReady.left();
    if (!isExpecting) call.left();
  }

  /**
   * Daily announces each SIP address of the room. The phone call is connected to the first one that accepts it. Without one, the
   * caller stays on hold, so the call ends.
   */
  async function dialinReady(sipEndpoint: string): Promise<void> {
    phoneCallConnected = phoneCallConnected.then(async (done) => done || (await connectTo(sipEndpoint)));
    if (await phoneCallConnected) emit("dialinReady", sipEndpoint);
  }

  async function connectTo(sipEndpoint: string): Promise<boolean> {
    if (isStopped) return false;
    endAfter(emptyRoomTimeoutMs, noCaller);
    try {
      await connectPhoneCall?.(sipEndpoint);
      endAfter(Math.min(phoneCallerMs, emptyRoomTimeoutMs), noCaller);
      return true;
    } catch (error) {
      logger.error({ err: error }, "phone call on hold not connected to the room");
      emit("dialinError", { action: "dialin-error", errorMsg: (error as Error).message, sipEndpoint });
      call.error(error as Error);
      endAfter(nextAddressMs, () => call.left("transport-failed"));
      return false;
    }
  }

  function lost(error: Error): void {
    call.error(error);
    call.left("transport-failed");
  }

  const handlers: Readonly<Record<string, (event: DailyEvent) => void>> = {
    "participant-joined": ({ participant }) => update(participant),
    "participant-updated": ({ participant }) => update(participant, { isUpdate: true }),
    "participant-left": left,
    "active-speaker-change": ({ activeSpeaker }) =>
      emit("activeSpeakerChanged", participants.byId.get(String(Object(activeSpeaker).peerId))),
    "app-message": ({ data, fromId }) => call.message(data, typeof fromId === "string" ? fromId : undefined),
    "dialin-ready": ({ sipEndpoint }) => void dialinReady(String(sipEndpoint)),
    "dtmf-event": ({ tone }) => call.dtmf(String(tone)),
    "left-meeting": () => lost(callLost("the bot left the room", undefined)),
    error: ({ errorMsg, error }) => lost(callLost(redactPhoneNumbers(String(errorMsg)), Object(error).type)),
    // Without its text, which may contain a caller's number. The bot gets it with `dailyEvent`.
    "nonfatal-error": ({ type }) => logger.warn({ type }, "nonfatal error of daily-js"),
  };

  return {
    listener: {
      joined(present) {
        local = toParticipant(present.local);
        if (local) emit("joined", local);
        emit("callStateUpdated", "joined");
        if (!stopWaiting) endAfter(emptyRoomTimeoutMs, noCaller);
        for (const participant of Object.values(present)) update(participant, { wasPresent: true });
      },
      event(event) {
        options.event(event);
        emit("dailyEvent", event);
        const name = forwardedEvents[event.action];
        if (name) emit(name, event);
        handlers[event.action]?.(event);
      },
      audio(participantId, track, frame) {
        const participant = participants.byId.get(participantId);
        // Audio may arrive before its participant is announced, and that participant may be a bot.
        const isCaller = participant !== undefined && !isBot(participant);
        if (isCaller) mediaReady.received(frame);
        audio.push(participantId, track, frame, isCaller);
      },
      played: (mark) => call.played(mark),
      lost,
    },
    get local() {
      return local;
    },
    participants: participants.byId,
    emit,
    stop() {
      isStopped = true;
      stopWaiting?.();
      mediaReady.stop();
    },
  };
}

function callLost(text: string, type: unknown): RunnerError {
  const name = typeof type === "string" ? `${type}: ` : "";
  return new RunnerError("DAILY_CALL_LOST", `Daily ended the bot's call: ${name}${text}.`, {
    status: 502,
    fix: "If the room expired, create it with a later exp.",
  });
}

/** Detects when the first caller can hear the bot. */
export interface MediaReady {
  /** A caller joined. */
  joined(): void;
  /** Audio of a caller arrived; it may be silence. */
  received(frame: AudioFrame): void;
  /** The last caller left. Another one may join. */
  left(): void;
  /** The bot is out of the room. */
  stop(): void;
}

/** After this much received audio, the connection works in the other direction too. */
const receivedMs = 300;
/** The delay for callers without a microphone. */
const mutedMs = 2_000;

/**
 * Daily announces participants before their media connection works: a greeting at that time would be lost.
 * `ready` is called once: when 300 ms of audio have arrived, or 2 s after the first caller joined.
 */
export function createMediaReady(clock: Clock, ready: () => void): MediaReady {
  let totalMs = 0;
  let stopWaiting: (() => void) | undefined;
  let done = false;

  function finish(): void {
    stop();
    ready();
  }

  function stop(): void {
    done = true;
    stopWaiting?.();
  }

  return {
    joined() {
      if (!done) stopWaiting ??= clock.after(mutedMs, finish);
    },
    received(frame) {
      if (done) return;
      totalMs += durationMs(frame);
      if (totalMs >= receivedMs) finish();
    },
    left() {
      stopWaiting?.();
      stopWaiting = undefined;
      totalMs = 0;
    },
    stop,
  };
}
