import { createMixer } from "@pipecat-ts/audio";
import { RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import {
  type CallEnd,
  type Caller,
  type CallerPlugin,
  type CallInvitation,
  createPlayout,
} from "@pipecat-ts/runner-core/caller";
import type { LiveKitClient, RoomConnection, RoomListener } from "./client.ts";
import { createRtcClient } from "./rtc-client.ts";

/** In Hz. */
const sampleRates = { in: 24_000, out: 16_000 };
const joinTimeoutMs = 10_000;
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
async function joinAsCaller(client: LiveKitClient, { start }: CallInvitation): Promise<Caller> {
  const { url, token } = Object(start?.reply) as Readonly<Record<string, unknown>>;
  if (typeof url !== "string" || typeof token !== "string") {
    throw new RunnerError("CALL_REJECTED", "The reply of /start names no LiveKit room.", {
      fix: "Start the runner with the LiveKit transport, and call /start first.",
    });
  }
  const playout = createPlayout();
  const messages: unknown[] = [];
  const agents = new Set<string>();
  const [botJoined, heard] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { promise: closed, resolve } = Promise.withResolvers<CallEnd>();
  const protocolErrors: string[] = [];
  let hadBot = false;
  // With one room for all sessions, several bots speak.
  const mixer = createMixer(sampleRates.in, (frame) => playout.enqueue(frame));
  const ignore = () => undefined;

  const listener: RoomListener = {
    joined: ignore,
    participantJoined({ identity, kind }) {
      if (kind !== "agent") return;
      agents.add(identity);
      hadBot = true;
      botJoined.resolve();
    },
    participantLeft(identity) {
      // The runner deletes the room of a session that has ended, but not a shared room.
      if (agents.delete(identity) && agents.size === 0) void leave({ reason: "the bot left the room" });
    },
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
      void leave({ reason, ...(!isEnd && { lost: true }) });
    },
  };
  const leaving = new AbortController();
  const connection: RoomConnection = await client.join(
    {
      url,
      token,
      sampleRateIn: sampleRates.in,
      sampleRateOut: sampleRates.out,
      hearsAgents: true,
      timeoutMs: joinTimeoutMs,
      signal: leaving.signal,
    },
    listener,
  );

  async function leave(end: CallEnd): Promise<void> {
    playout.close();
    await connection.close();
    resolve(end);
  }

  if (!(await withTimeout(Promise.race([botJoined.promise, closed]), botTimeoutMs))) {
    await leave({ reason: "" });
    throw new RunnerError("CALL_TIMED_OUT", `The bot did not join its room within ${botTimeoutMs / 1000} s.`, {
      fix: "Read the runner's log.",
    });
  }
  if (!hadBot) {
    const { reason } = await closed;
    throw new RunnerError("CALL_REJECTED", `The room was closed before the bot joined: ${reason}.`, {
      fix: "Read the runner's log.",
    });
  }
  await withTimeout(Promise.race([heard.promise, closed]), heardTimeoutMs);

  return {
    sampleRate: sampleRates.out,
    playout,
    messages,
    protocolErrors,
    closed,
    sendAudio: ({ samples }) => connection.sendAudio(samples),
    sendMessage(message) {
      const data = new TextEncoder().encode(JSON.stringify(message));
      connection.sendData(data).catch(ignore); // After the call, or too large for LiveKit.
    },
    async hangUp() {
      await leave({ reason: "" });
    },
    drop: () => void leave({ reason: "" }),
  };
}
