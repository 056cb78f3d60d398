import { createMixer } from "@pipecat-ts/audio";
import { isRunnerError, RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import {
  type CallEnd,
  type Caller,
  type CallerPlugin,
  type CallInvitation,
  createPlayout,
} from "@pipecat-ts/runner-core/caller";
import type { LiveKitClient, RoomListener } from "./client.ts";
import { createRtcClient } from "./rtc-client.ts";

/** In Hz. */
const sampleRates = { in: 24_000, out: 16_000 };
/** Shorter than the 15 s after which `pipecat-runner call` gives up, so that its error names the room. */
const joinTimeoutMs = 14_000;
/** How long the caller waits in the room for the bot. */
const botTimeoutMs = 10_000;
/** How long the caller waits for a bot to receive its audio. A bot without input audio never does. */
const heardTimeoutMs = 5_000;

/** Calls a runner like an app with LiveKit's client SDK, with a LiveKit client of your own. */
export function createLiveKitCaller(createClient: () => LiveKitClient): CallerPlugin {
  return {
    apiVersion: 1,
    name: "livekit",
    starts: true,
    open() {
      const client = createClient();
      return { dial: (invitation) => joinAsCaller(client, invitation) };
    },
  };
}

/** The caller with `@livekit/rtc-node`. */
const plugin: CallerPlugin = createLiveKitCaller(createRtcClient);
export default plugin;

/** Resolves when the bot is in the room and receives the caller's audio. */
async function joinAsCaller(client: LiveKitClient, { start, signal }: CallInvitation): Promise<Caller> {
  const { url, token } = Object(start?.reply) as Readonly<Record<string, unknown>>;
  if (typeof url !== "string" || typeof token !== "string") {
    throw new RunnerError("CALL_REJECTED", "The reply of /start names no LiveKit room.", {
      fix: "Start the runner with the LiveKit transport, and call /start first.",
    });
  }
  const playout = createPlayout();
  const messages: unknown[] = [];
  const agents = new Set<string>();
  /** When the bot joined, as `performance.now()`. */
  const botJoined = Promise.withResolvers<number>();
  const heard = Promise.withResolvers<void>();
  const { promise: left, resolve: leave } = Promise.withResolvers<CallEnd>();
  const protocolErrors: string[] = [];
  // With one room for all sessions, several bots speak.
  const mixer = createMixer(sampleRates.in, (frame) => playout.enqueue(frame));
  const ignore = () => undefined;

  const listener: RoomListener = {
    joined: ignore,
    participantJoined({ identity, kind }) {
      if (kind !== "agent") return;
      agents.add(identity);
      botJoined.resolve(performance.now());
    },
    participantLeft(identity) {
      // The runner deletes the room of a session that has ended, but not a shared room.
      if (agents.delete(identity) && agents.size === 0) leave({ reason: "the bot left the room" });
    },
    attributesChanged: ignore,
    audio: (identity, frame) => mixer.push(identity, frame),
    audioSubscribed: ignore,
    heard: heard.resolve,
    data(data) {
      try {
        messages.push(JSON.parse(new TextDecoder().decode(data)));
      } catch (error) {
        protocolErrors.push(`malformed message: ${(error as Error).message}`);
      }
    },
    dtmf: ignore,
    activeSpeakers: ignore,
    reconnecting: ignore,
    reconnected: ignore,
    failed: (error) => void protocolErrors.push(error.message),
    disconnected(reason) {
      const isEnd = reason === "ROOM_DELETED" || reason === "PARTICIPANT_REMOVED" || reason === "ROOM_CLOSED";
      leave({ reason, ...(!isEnd && { lost: true }) });
    },
  };
  // Events may occur before the join resolves: the bot may even have left the room by then.
  const joining = client.join(
    {
      url,
      token,
      sampleRateIn: sampleRates.in,
      sampleRateOut: sampleRates.out,
      hearsAgents: true,
      timeoutMs: joinTimeoutMs,
      signal: signal ?? new AbortController().signal,
    },
    listener,
  );
  const closed = left.then(async (end) => {
    playout.close();
    await joining.then(
      (connection) => connection.close(),
      () => undefined, // Nothing is open, and `dial` rejects with the error.
    );
    return end;
  });
  const connection = await joining.catch((error: unknown) => {
    playout.close();
    throw joinFailure(error);
  });

  const stopAfter = (timeoutMs: number) =>
    AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]);

  async function hangUp(): Promise<void> {
    leave({ reason: "" });
    await closed;
  }

  const answered = Promise.race([botJoined.promise, closed]);
  if (!(await withTimeout(answered, stopAfter(botTimeoutMs)))) {
    await hangUp();
    signal?.throwIfAborted();
    throw new RunnerError("CALL_TIMED_OUT", `The bot did not join its room within ${botTimeoutMs / 1000} s.`, {
      fix: "Read the runner's log.",
    });
  }
  const answeredAtMs = await answered;
  if (typeof answeredAtMs !== "number") {
    const { reason } = answeredAtMs;
    throw new RunnerError("CALL_REJECTED", `The room was closed before the bot joined: ${reason}.`, {
      fix: "Read the runner's log.",
    });
  }
  await withTimeout(Promise.race([heard.promise, closed]), stopAfter(heardTimeoutMs));

  return {
    sampleRate: sampleRates.out,
    answeredAtMs,
    playout,
    messages,
    protocolErrors,
    closed,
    sendAudio: ({ samples }) => connection.sendAudio(samples),
    sendMessage(message) {
      const data = new TextEncoder().encode(JSON.stringify(message));
      connection.sendData(data).catch(ignore); // After the call, or too large for LiveKit.
    },
    hangUp,
    drop: () => leave({ reason: "" }),
  };
}

/** The error of a join for those who call: `pipecat-runner call` does not have the flags of the transport. */
function joinFailure(error: unknown): unknown {
  if (!isRunnerError(error) || error.code !== "LIVEKIT_JOIN_TIMEOUT") return error;
  return new RunnerError(error.code, error.message, {
    status: 504,
    fix: "Check the load of this machine and its network path to LiveKit, or place fewer calls at once.",
    cause: error,
  });
}
