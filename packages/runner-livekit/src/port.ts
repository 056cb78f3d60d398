import {
  type Call,
  type Clock,
  type Logger,
  type MediaPort,
  pause,
  RunnerError,
  systemClock,
  type Transport,
} from "@pipecat-ts/runner-core";
import type { LiveKitParams } from "./arguments.ts";
import type { LiveKitClient, RoomConnection } from "./client.ts";
import { createRoom, type OwnCallerCheck } from "./room.ts";
import { createRtcClient } from "./rtc-client.ts";
import type { LiveKitTransport } from "./transport.ts";

/** The room that a bot joins, named by its token, and how. */
export interface ConnectLiveKitOptions {
  readonly url: string;
  readonly token: string;
  readonly params?: LiveKitParams;
  readonly logger: Logger;
  /** Default: `createRtcClient()`. */
  readonly client?: LiveKitClient;
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** Default 15,000. */
  readonly joinTimeoutMs?: number;
  /** How long the bot waits for the first caller, unless `params` says so; 0 waits without limit. Default 300,000. */
  readonly emptyRoomTimeoutMs?: number;
  /** For a room that several calls share: see `OwnCallerCheck`. Default: all callers belong to this call. */
  readonly isOwnCaller?: OwnCallerCheck;
  /** Aborts the join. */
  readonly signal?: AbortSignal;
}

/**
 * How long the bot stays after its last audio left the queue, in ms: the audio is still in the network and in the jitter buffers
 * of the callers, which drop it when the bot leaves.
 */
const lastAudioMs = 300;

/**
 * Joins a room and reports what happens in it to `call`. Rejects with OPTION_INVALID and the errors of `LiveKitClient.join`, with
 * everything released. Without a runner, pass it to `createStandaloneTransport` of runner-media.
 *
 * 60 ms of the bot's audio are queued in the SDK, so that pauses of the process are inaudible. An interruption drops them.
 */
export async function connectLiveKit(call: Call, options: ConnectLiveKitOptions): Promise<MediaPort> {
  const { params = {}, logger, client = createRtcClient(), clock = systemClock } = options;
  const { audioInEnabled = true, audioInSampleRate = 16_000, audioOutEnabled = true } = params;
  const { audioOutSampleRate = 24_000, emptyRoomTimeoutMs = options.emptyRoomTimeoutMs ?? 300_000 } = params;
  requireSampleRate(audioOutSampleRate);
  requireTimeout(emptyRoomTimeoutMs);
  const sampleRateIn = streamRate(audioInSampleRate);

  const room = createRoom({
    call,
    clock,
    logger,
    sampleRateIn,
    emptyRoomTimeoutMs: emptyRoomTimeoutMs === 0 ? Number.POSITIVE_INFINITY : emptyRoomTimeoutMs,
    ...(options.isOwnCaller && { isOwnCaller: options.isOwnCaller }),
  });
  const request = {
    url: options.url,
    token: options.token,
    sampleRateOut: audioOutEnabled ? audioOutSampleRate : undefined,
    sampleRateIn: audioInEnabled ? sampleRateIn : undefined,
    timeoutMs: options.joinTimeoutMs ?? 15_000,
    signal: options.signal ?? new AbortController().signal,
  };
  const connection = await client.join(request, room.listener).catch((error: unknown) => {
    room.stop();
    throw error;
  });

  const methods: Omit<LiveKitTransport, keyof Transport> = {
    localParticipant: room.local,
    participants: room.participants,
    sendMessageTo: (identity, message) => sendMessage(connection, message, identity),
    muteParticipant: (identity) => connection.setSubscribed(identity, false),
    unmuteParticipant: (identity) => connection.setSubscribed(identity, true),
    setMetadata: (metadata) => connection.setMetadata(metadata),
    sendDtmf: async (key) => await connection.sendDtmf(dtmfCode(key), key),
  };

  return {
    sampleRates: [audioOutSampleRate],
    frameMs: 20,
    sendAheadMs: 60,
    send: (frame) => connection.sendAudio(frame.samples),
    clear: () => connection.clearAudio(),
    sendMessage: (message) => sendMessage(connection, message),
    extend: () => ({ ...methods }),
    async close(reason, deadline) {
      if (reason === "bot-finished" || reason === "time-limit") await pause(clock, lastAudioMs, deadline);
      room.stop();
      await connection.close();
      room.emit("left");
    },
  };
}

async function sendMessage(connection: RoomConnection, message: unknown, to?: string): Promise<void> {
  const text = JSON.stringify(message) as string | undefined;
  if (text === undefined) throw new TypeError(`JSON cannot represent ${typeof message}.`);
  await connection.sendData(new TextEncoder().encode(text), to);
}

const dtmfKeys = "0123456789*#ABCD";

/** The code of a key in RFC 4733. */
function dtmfCode(key: string): number {
  const code = key.length === 1 ? dtmfKeys.indexOf(key) : -1;
  if (code >= 0) return code;
  throw new RunnerError("DTMF_INVALID", "sendDtmf takes one key.", { fix: "Use one of 0-9 * # A-D." });
}

/** The SDK splits audio into frames of 10 ms, so a rate must be a multiple of 100 Hz. The runner resamples others. */
function streamRate(sampleRate: number): number {
  return Number.isInteger(sampleRate / 100) && sampleRate <= 48_000 ? sampleRate : 48_000;
}

function requireSampleRate(sampleRate: number): void {
  if (Number.isInteger(sampleRate / 100) && sampleRate >= 8_000 && sampleRate <= 48_000) return;
  throw new RunnerError("OPTION_INVALID", `livekit: audioOutSampleRate cannot be ${sampleRate}.`, {
    fix: "Use a multiple of 100 from 8,000 to 48,000 Hz.",
  });
}

/** Longer timers of Node fire at once. */
const maxTimeoutMs = 2 ** 31 - 1;

function requireTimeout(timeoutMs: number): void {
  if ((timeoutMs >= 0 && timeoutMs <= maxTimeoutMs) || timeoutMs === Number.POSITIVE_INFINITY) return;
  throw new RunnerError("OPTION_INVALID", `livekit: emptyRoomTimeoutMs cannot be ${timeoutMs}.`, {
    fix: "Use 0 to 2,147,483,647 ms (24 days). 0 and Infinity wait without limit.",
  });
}
