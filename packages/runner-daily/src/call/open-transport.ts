import type { AudioFrame } from "@pipecat-ts/audio";
import { type Logger, RunnerError, type TransportParams } from "@pipecat-ts/runner-core";
import { createCallEvents, createLosses, createMediaTransport, type Pacer } from "@pipecat-ts/runner-media";
import { createAnsweredRequests } from "./answered-requests.ts";
import { createMessageSender } from "./app-messages.ts";
import { createArrival } from "./arrival.ts";
import { type CallInbox, createCallInbox } from "./call-inbox.ts";
import type { DailyCall, DailyEngine, JoinRequest } from "./daily-call.ts";
import { type DailyTransportEvents, isBaseEvent } from "./daily-events.ts";
import type { DailyTransport } from "./daily-transport.ts";
import { createListening } from "./listening.ts";
import { recogniseParticipant } from "./participant.ts";
import { createPhoneCalls } from "./phone-calls.ts";
import { createDailyPort } from "./port.ts";
import { createRoomEvents } from "./room-events.ts";

/** What a bot's seat in a room is built from. */
export interface OpenTransportOptions {
  readonly engine: DailyEngine;
  readonly request: JoinRequest;
  readonly params: TransportParams;
  readonly pacer: Pacer;
  readonly logger: Logger;
  /** How long the bot waits for somebody to come, in ms; `Infinity` waits. */
  readonly emptyRoomTimeoutMs: number;
  /** Sends the phone call that waits on hold to this address; absent where none does. */
  readonly sendCallTo?: ((sipEndpoint: string) => Promise<void>) | undefined;
  /** Is told of the seat before it is taken: whoever owns it must close it, should the bot not. */
  opened?(call: DailyCall): void;
}

/** Joins a room. Rejects as `DailyCall.join` does, and with OPTION_INVALID; then nothing is left open. */
export async function openTransport(options: OpenTransportOptions): Promise<DailyTransport> {
  const { engine, request, logger } = options;
  const inbox = createCallInbox();
  const call = engine.open(inbox.listener, logger);
  options.opened?.(call);
  const { participants } = await call.join(request);
  try {
    return takeSeat(options, call, inbox, participants);
  } catch (error) {
    await call.close();
    throw error;
  }
}

/** The transport of a bot that is in its room. */
function takeSeat(
  options: OpenTransportOptions,
  call: DailyCall,
  inbox: CallInbox,
  participants: Readonly<Record<string, unknown>>,
): DailyTransport {
  const { request, params, pacer, logger } = options;
  const bot = recogniseParticipant(participants.local);

  const losses = createLosses(logger);
  const events = createCallEvents<DailyTransportEvents>(losses, logger);
  const answered = createAnsweredRequests(call, pacer.clock);
  const phones = createPhoneCalls(call, (event) => events.emit("dialoutError", event));
  const send = createMessageSender(call);
  const listening = createListening(params.audioInSampleRate ?? 16_000, losses);
  let connected: () => void = () => undefined;
  const arrival = createArrival(pacer.clock, () => connected());
  const room = createRoomEvents({ ...options, events, arrival, phones, answered, listening, clock: pacer.clock });

  const media = createMediaTransport({
    name: "daily",
    params,
    pacer,
    logger,
    open(caller) {
      connected = caller.connected;
      const hear = listening.hear(caller);
      inbox.open({
        ...room.enter(caller),
        audio(participantId, track, frame) {
          const isCaller = !room.isBot(participantId);
          if (isCaller) arrival.heard(frame);
          hear(participantId, track, frame, isCaller);
        },
      });
      return createDailyPort(call, {
        sampleRate: request.sampleRate,
        clock: pacer.clock,
        send,
        leaving: () => events.emit("callStateUpdated", "leaving"),
        left() {
          arrival.stop();
          room.leave();
          listening.end();
          answered.end();
          events.emit("callStateUpdated", "left");
          events.emit("left");
        },
      });
    },
  });
  if (bot) events.emit("joined", bot);
  events.emit("callStateUpdated", "joined");
  room.see(Object.values(participants));

  const on: DailyTransport["on"] = (event, listener, listenOptions) =>
    isBaseEvent(event)
      ? media.on(event, listener as never, listenOptions)
      : events.on(event, listener as never, listenOptions);
  const { see: _, ...phoneCalls } = phones;
  return {
    // Not copied: `output` is a getter.
    ...media,
    get output() {
      return media.output;
    },
    ...phoneCalls,
    on,
    localParticipant: bot,
    participants: room.others,
    participantCounts: async () =>
      (await call.request("participantCounts")) as { readonly present: number; readonly hidden: number },
    listenTo: (participantId): ReadableStream<AudioFrame> => listening.listenTo(participantId),
    sendMessageTo: (participantId, message) => send(message, participantId),
    updateParticipants: async (updates) => void (await call.request("updateParticipants", updates)),
    eject: async (participantId) => void (await call.request("updateParticipant", participantId, { eject: true })),
    startRecording: (given) => answered.ask("startRecording", "recording-started", "recording-error", given),
    stopRecording: (given) => answered.ask("stopRecording", "recording-stopped", "recording-error", given),
    updateRecording: async (given) => void (await call.request("updateRecording", given)),
    startTranscription: (given) =>
      answered.ask("startTranscription", "transcription-started", "transcription-error", given),
    stopTranscription: (given) =>
      answered.ask("stopTranscription", "transcription-stopped", "transcription-error", given),
    updateTranscription: async (given) => void (await call.request("updateTranscription", given)),
    captureParticipantVideo: () => unsupported("Pictures of participants"),
    sendPrebuiltChatMessage: () => unsupported("Messages in the chat of Daily Prebuilt"),
    setLogLevel: () => unsupported("Log levels of Daily's engine"),
  };
}

async function unsupported(what: string): Promise<never> {
  throw new RunnerError("DAILY_UNSUPPORTED", `${what} are out of reach: daily-js has no way to them from here.`, {
    status: 501,
    fix: "Do without: the rest of the call goes on.",
  });
}
