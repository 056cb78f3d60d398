import {
  type Call,
  type Clock,
  type Logger,
  type MediaPort,
  type PortMedia,
  pause,
  RunnerError,
  systemClock,
  type Transport,
} from "@pipecat-ts/runner-core";
import type { DailyParams } from "./arguments.ts";
import { createBrowserClient } from "./browser-client.ts";
import type { DailyCall, DailyClient } from "./client.ts";
import { botUserData } from "./participants.ts";
import { createPhoneCalls } from "./phone-calls.ts";
import { createEventRequests, sendAppMessage } from "./requests.ts";
import { createRoom, type OwnCallerCheck } from "./room.ts";
import { createRoomAudio } from "./room-audio.ts";
import type { DailyTransport } from "./transport.ts";

/** The room that a bot joins, and how. */
export interface ConnectDailyOptions {
  readonly roomUrl: string;
  /** Without a token the bot joins as a guest, which only public rooms allow. */
  readonly token?: string;
  readonly params?: DailyParams;
  readonly logger: Logger;
  /** Default: `createBrowserClient()`. */
  readonly client?: DailyClient;
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** Default 30,000. */
  readonly joinTimeoutMs?: number;
  /** How long the bot waits for the first caller, unless `params` says so; 0 waits until the room expires. Default 300,000. */
  readonly emptyRoomTimeoutMs?: number;
  /** Connects the phone call that is on hold to a SIP address of the room; `undefined` without one. */
  readonly connectPhoneCall?: ((sipEndpoint: string) => Promise<void>) | undefined;
  /** For a room that several calls share: see `OwnCallerCheck`. Default: all callers belong to this call. */
  readonly isOwnCaller?: OwnCallerCheck | undefined;
  /** Called before the bot joins. Close the call when the session ends, also while the bot joins. */
  opened?(daily: DailyCall): void;
}

/**
 * How long the bot stays after the page has played its last audio, in ms: the audio is still in the network and in the
 * jitter buffers of the callers, which drop it when the bot leaves.
 */
const lastAudioMs = 300;

/**
 * Joins a room and reports what happens in it to `call`. Rejects with OPTION_INVALID and the errors of `DailyCall.join`, with
 * everything released. Without a runner, pass it to `createStandaloneTransport` of runner-media.
 *
 * 60 ms of the bot's audio are queued in the page, so that pauses of either process are inaudible. An interruption drops
 * them, and the page reports what it has played.
 */
export async function connectDaily(call: Call, options: ConnectDailyOptions): Promise<MediaPort> {
  const { params = {}, logger, client = createBrowserClient(), clock = systemClock } = options;
  const { userName = "Pipecat Bot", audioOutSampleRate = 24_000, audioOutBitrate, audioInEnabled = true } = params;
  const { emptyRoomTimeoutMs = options.emptyRoomTimeoutMs ?? 300_000 } = params;
  requireSampleRate(audioOutSampleRate);
  requireTimeout(emptyRoomTimeoutMs);

  const audio = createRoomAudio((frame) => call.audio(frame));
  const room = createRoom({
    call,
    audio,
    event(event) {
      phones.event(event);
      requests.event(event);
    },
    clock,
    logger,
    emptyRoomTimeoutMs: emptyRoomTimeoutMs === 0 ? Number.POSITIVE_INFINITY : emptyRoomTimeoutMs,
    connectPhoneCall: options.connectPhoneCall,
    isOwnCaller: options.isOwnCaller,
  });
  const daily = client.open(room.listener);
  const requests = createEventRequests(daily, clock);
  const phones = createPhoneCalls(daily, (event) => room.emit("dialoutError", event));
  options.opened?.(daily);
  try {
    await daily.join({
      roomUrl: options.roomUrl,
      ...(options.token !== undefined && { token: options.token }),
      userName,
      userData: botUserData,
      sampleRate: audioOutSampleRate,
      ...(audioOutBitrate !== undefined && { bitrate: audioOutBitrate }),
      receiveAudio: audioInEnabled,
      timeoutMs: options.joinTimeoutMs ?? 30_000,
    });
  } catch (error) {
    room.stop();
    throw error;
  }

  function extend(media: PortMedia): Omit<DailyTransport, keyof Transport> {
    return {
      ...phones.methods,
      localParticipant: room.local,
      participants: room.participants,
      participantCounts: async () =>
        (await daily.request("participantCounts")) as { readonly present: number; readonly hidden: number },
      listenTo: (participantId) => audio.listenTo(participantId, () => media.createInput()),
      sendMessageTo: (participantId, message) => sendAppMessage(daily, message, participantId),
      updateParticipants: async (updates) => void (await daily.request("updateParticipants", updates)),
      eject: async (participantId) => void (await daily.request("updateParticipant", participantId, { eject: true })),
      startRecording: (settings) => requests.send("startRecording", "recording-started", "recording-error", settings),
      stopRecording: (settings) => requests.send("stopRecording", "recording-stopped", "recording-error", settings),
      updateRecording: async (settings) => void (await daily.request("updateRecording", settings)),
      startTranscription: (settings) =>
        requests.send("startTranscription", "transcription-started", "transcription-error", settings),
      stopTranscription: (settings) =>
        requests.send("stopTranscription", "transcription-stopped", "transcription-error", settings),
      updateTranscription: async (settings) => void (await daily.request("updateTranscription", settings)),
      captureParticipantVideo: () => unsupported("captureParticipantVideo"),
      sendPrebuiltChatMessage: () => unsupported("sendPrebuiltChatMessage"),
      setLogLevel: () => unsupported("setLogLevel"),
    };
  }

  return {
    sampleRates: [audioOutSampleRate],
    frameMs: 20,
    sendAheadMs: 60,
    send: (frame) => daily.sendAudio(frame.samples),
    clear: () => daily.clearAudio(),
    mark: (mark) => daily.markAudio(mark),
    sendMessage: (message) => sendAppMessage(daily, message),
    bufferedBytes: () => daily.bufferedBytes,
    extend: (media) => ({ ...extend(media) }),
    async close(reason, deadline) {
      if (reason === "bot-finished" || reason === "time-limit") await pause(clock, lastAudioMs, deadline);
      room.emit("callStateUpdated", "leaving");
      await daily.close(deadline);
      room.stop();
      audio.end();
      requests.end();
      room.emit("callStateUpdated", "left");
      room.emit("left");
    },
  };
}

async function unsupported(method: string): Promise<never> {
  throw new RunnerError("DAILY_UNSUPPORTED", `daily-js does not support ${method}.`, {
    status: 501,
    fix: "Remove the call of this method.",
  });
}

function requireSampleRate(sampleRate: number): void {
  if (Number.isInteger(sampleRate / 50) && sampleRate >= 8_000 && sampleRate <= 48_000) return;
  throw new RunnerError("OPTION_INVALID", `daily: audioOutSampleRate cannot be ${sampleRate}.`, {
    fix: "Use a multiple of 50 from 8,000 to 48,000 Hz.",
  });
}

/** Longer timers of Node fire at once. */
const maxTimeoutMs = 2 ** 31 - 1;

function requireTimeout(timeoutMs: number): void {
  if ((timeoutMs >= 0 && timeoutMs <= maxTimeoutMs) || timeoutMs === Number.POSITIVE_INFINITY) return;
  throw new RunnerError("OPTION_INVALID", `daily: emptyRoomTimeoutMs cannot be ${timeoutMs}.`, {
    fix: "Use 0 to 2,147,483,647 ms (24 days). 0 and Infinity wait until the room expires.",
  });
}
