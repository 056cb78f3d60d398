import { type Logger, RunnerError } from "@pipecat-ts/runner-core";
import type { CallEvents, Caller, Clock } from "@pipecat-ts/runner-media";
import { hideNumbers } from "../hide-numbers.ts";
import type { AnsweredRequests } from "./answered-requests.ts";
import type { Arrival } from "./arrival.ts";
import { isBot } from "./bot-mark.ts";
import type { DailyCallListener, DailyEvent } from "./daily-call.ts";
import { type DailyTransportEvents, passedOn } from "./daily-events.ts";
import type { Listening } from "./listening.ts";
import type { DailyParticipant } from "./participant.ts";
import type { PhoneCallsOfRoom } from "./phone-calls.ts";
import { createRoster } from "./roster.ts";

/** Makes of what daily-js tells what a bot is told. */
export interface RoomEvents {
  readonly others: ReadonlyMap<string, DailyParticipant>;
  /** Whether this is another session's bot, who is in the room and nobody's caller. */
  isBot(participantId: string): boolean;
  /** From now on `caller` is who is there: the last who leaves ends the call. */
  enter(caller: Caller): Omit<DailyCallListener, "audio">;
  /** Adds those who were there before the bot. */
  see(participants: readonly unknown[]): void;
  /** The bot is out: nobody is waited for. */
  leave(): void;
}

export interface RoomEventsOptions {
  readonly events: CallEvents<DailyTransportEvents>;
  readonly arrival: Pick<Arrival, "joined">;
  readonly phones: Pick<PhoneCallsOfRoom, "see">;
  readonly answered: Pick<AnsweredRequests, "see">;
  readonly listening: Pick<Listening, "left">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly emptyRoomTimeoutMs: number;
  readonly sendCallTo?: ((sipEndpoint: string) => Promise<void>) | undefined;
}

export function createRoomEvents(options: RoomEventsOptions): RoomEvents {
  const { events, arrival, phones, answered, listening, clock, logger, emptyRoomTimeoutMs, sendCallTo } = options;
  const roster = createRoster();
  let caller: Caller | undefined;
  let stopWaiting: (() => void) | undefined;
  /** Whether no phone call is on hold, or it has been sent. */
  let callIsSent: Promise<boolean> = Promise.resolve(sendCallTo === undefined);

  function come(value: unknown, wasKnown: "participantUpdated" | undefined): void {
    const seen = roster.see(value);
    if (!seen) return;
    if (!seen.isNew) {
      if (wasKnown) events.emit(wasKnown, seen.participant);
      return;
    }
    const isCaller = !isBot(seen.participant);
    if (isCaller && stopWaiting) {
      stopWaiting();
      stopWaiting = undefined;
      events.emit("firstParticipantJoined", seen.participant);
    }
    events.emit("participantJoined", seen.participant);
    if (isCaller) arrival.joined();
  }

  function go({ participant: value, reason }: DailyEvent): void {
    const participant = roster.remove(value);
    if (!participant) return;
    listening.left(participant.id);
    if (typeof reason === "string") events.emit("participantLeft", participant, reason);
    else events.emit("participantLeft", participant);
    if (!isBot(participant) && [...roster.others.values()].every(isBot)) caller?.left("caller-left");
  }

  /** Rooms with several addresses tell of each; a call is sent to the first that it gets to. */
  async function ready(sipEndpoint: string): Promise<void> {
    callIsSent = callIsSent.then(async (isSent) => isSent || (await sendCall(sipEndpoint)));
    if (await callIsSent) events.emit("dialinReady", sipEndpoint);
  }

  async function sendCall(sipEndpoint: string): Promise<boolean> {
    try {
      await sendCallTo?.(sipEndpoint);
      return true;
    } catch (error) {
      logger.error({ err: error }, "The phone call on hold could not be sent to the room.");
      events.emit("dialinError", { action: "dialin-error", errorMsg: (error as Error).message, sipEndpoint });
      caller?.error(error as Error);
      return false;
    }
  }

  function end(error: RunnerError): void {
    caller?.error(error);
    caller?.left("transport-failed");
  }

  const reactions: Readonly<Record<string, (event: DailyEvent) => void>> = {
    "participant-joined": ({ participant }) => come(participant, undefined),
    "participant-updated": ({ participant }) => come(participant, "participantUpdated"),
    "participant-left": go,
    "active-speaker-change": ({ activeSpeaker }) =>
      events.emit("activeSpeakerChanged", roster.others.get(String(Object(activeSpeaker).peerId))),
    "app-message": ({ data, fromId }) => caller?.message(data, typeof fromId === "string" ? fromId : undefined),
    "dialin-ready": ({ sipEndpoint }) => void ready(String(sipEndpoint)),
    "dtmf-event": ({ tone }) => caller?.dtmf(String(tone)),
    "left-meeting": () => end(outOfRoom("the room was left", undefined)),
    error: ({ errorMsg, error }) => end(outOfRoom(hideNumbers(String(errorMsg)), Object(error).type)),
    // Its text may hold a caller's number: the bot has it by `dailyEvent`.
    "nonfatal-error": ({ type }) => logger.warn(`Daily has trouble, and the call goes on: ${type}.`),
  };

  return {
    others: roster.others,
    isBot(participantId) {
      const participant = roster.others.get(participantId);
      return participant !== undefined && isBot(participant);
    },
    enter(of) {
      caller = of;
      stopWaiting = Number.isFinite(emptyRoomTimeoutMs)
        ? clock.after(emptyRoomTimeoutMs, () => {
            logger.info("Nobody came into the room: the bot leaves it.");
            of.left("caller-left");
          })
        : () => undefined;
      return {
        event(event) {
          phones.see(event);
          answered.see(event);
          events.emit("dailyEvent", event);
          const name = passedOn[event.action];
          if (name) events.emit(name, event);
          reactions[event.action]?.(event);
        },
        played: (mark) => of.played(mark),
        lost(error) {
          of.error(error);
          of.left("transport-failed");
        },
      };
    },
    see(participants) {
      for (const participant of participants) come(participant, undefined);
    },
    leave() {
      stopWaiting?.();
    },
  };
}

function outOfRoom(what: string, type: unknown): RunnerError {
  const name = typeof type === "string" ? `${type}: ` : "";
  return new RunnerError("DAILY_CALL_LOST", `Daily ended the bot's call: ${name}${what}.`, {
    status: 502,
    fix: "Where the room expired, give it a later exp.",
  });
}
