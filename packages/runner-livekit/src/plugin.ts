import { RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createRoomService, type RoomService } from "./api.ts";
import type { LiveKitClient } from "./client.ts";
import { doctorChecks } from "./doctor.ts";
import { type LiveKitOptions, livekitOptions } from "./options.ts";
import { createRtcClient } from "./rtc-client.ts";
import { type Account, type CrashRecord, deleteRoom, startSession } from "./start.ts";

/** How long the deletion of rooms may delay the end of the runner, in ms. */
const closeTimeoutMs = 1_500;

/** The LiveKit transport, with a LiveKit client of your own. */
export function createLiveKitPlugin(createClient: () => LiveKitClient): TransportPlugin<LiveKitOptions> {
  return {
    apiVersion: 1,
    name: "livekit",
    options: livekitOptions,
    // A start request without a transport is not meant for rooms, which may cost money.
    advanced: { rank: -1, doctor: doctorChecks },
    check(options, settings) {
      const missing = missingSettings(options);
      if (missing.length === 0) return createClient().check();
      // Still open beside other transports, so that a start request gets this error instead of another transport.
      const state = settings.transport === "livekit" ? "unavailable" : "limited";
      return { state, reason: `Rooms cannot be joined: ${describeMissing(missing)}.`, fix: settingsFix };
    },
    open(runner, options) {
      const client = createClient();
      let opened: RoomService | undefined;
      const roomsOf = (account: Account) => {
        opened ??= createRoomService(account);
        return opened;
      };
      return {
        async start({ body }) {
          const account = requireAccount(options);
          const rooms = roomsOf(account);
          const { session, callerToken } = await startSession(runner, options, { account, client, rooms }, body.body);
          const reply = { url: account.url, token: callerToken, sessionId: session.id };
          return { sessionId: session.id, body: reply, extensible: true };
        },
        close: () => opened?.close(closeTimeoutMs),
        advanced: {
          async cleanUpAfterCrash(record) {
            await deleteRoom(roomsOf(requireAccount(options)), (record as CrashRecord).room, runner);
          },
        },
      };
    },
  };
}

/** The LiveKit transport with `@livekit/rtc-node`. */
const plugin: TransportPlugin<LiveKitOptions> = createLiveKitPlugin(createRtcClient);
export default plugin;

const settingsFix =
  "Set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET. `livekit-server --dev` runs a server at ws://localhost:7880 with the key devkey and the secret secret.";

function missingSettings({ url, apiKey, apiSecret }: LiveKitOptions): readonly string[] {
  const values = { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret };
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [name] : []));
}

function describeMissing(names: readonly string[]): string {
  const list = new Intl.ListFormat("en-GB").format(names);
  return `${list} ${names.length === 1 ? "is" : "are"} not set`;
}

/** Throws LIVEKIT_SETTINGS_MISSING (400). */
function requireAccount(options: LiveKitOptions): Account {
  const { url, apiKey, apiSecret } = options;
  if (url !== undefined && apiKey !== undefined && apiSecret !== undefined) {
    return { url: url.replace(/\/+$/, ""), key: apiKey, secret: apiSecret };
  }
  const message = `LiveKit rooms cannot be created: ${describeMissing(missingSettings(options))}.`;
  throw new RunnerError("LIVEKIT_SETTINGS_MISSING", message, { status: 400, fix: settingsFix });
}
