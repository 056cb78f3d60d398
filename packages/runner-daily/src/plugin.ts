import { type Availability, RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createDailyRest, type DailyRest } from "./api.ts";
import { createBrowserClient } from "./browser-client.ts";
import type { DailyClient } from "./client.ts";
import { doctorChecks } from "./doctor.ts";
import { type DailyOptions, dailyOptions } from "./options.ts";
import { apiKeyFix, createRoomDeletions, requireApiKey } from "./rooms.ts";
import { webhookVerification } from "./signature.ts";
import {
  type CrashRecord,
  claimsRoom,
  createRoomRoute,
  createRoomRunner,
  createSessionStarter,
  readRoomRequest,
  type StartedSession,
} from "./start.ts";
import { createDialinRoute, dialinRequest, dialinRoomProperties } from "./webhook.ts";

/** How long requests to Daily may delay the end of the runner, in ms. */
const closeTimeoutMs = 1_500;

/** The Daily transport, with a Daily client of your own. */
export function createDailyPlugin(createClient: (options: DailyOptions) => DailyClient): TransportPlugin<DailyOptions> {
  return {
    apiVersion: 1,
    name: "daily",
    options: dailyOptions,
    // Rooms cost money, so a start request has to ask for one.
    advanced: {
      rank: -1,
      doctor: (options) => doctorChecks(options, createClient(options)),
    },
    check(options, settings) {
      if (options.apiKey !== undefined) return checkClient(createClient(options));
      // Still open beside other transports, so that a request for a room gets this error instead of another transport.
      const state = settings.transport === "daily" ? "unavailable" : "limited";
      return { state, reason: "Rooms cannot be created: DAILY_API_KEY is not set.", fix: apiKeyFix };
    },
    open(runner, options) {
      const { apiKey, apiUrl, roomUrl } = options;
      const client = createClient(options);
      const verification = webhookVerification(options, runner.settings);
      const deletions = createRoomDeletions(runner.logger);
      let rest: DailyRest | undefined;
      const requireRest = () => {
        rest ??= createDailyRest({ apiKey: requireApiKey(apiKey), apiUrl });
        return rest;
      };
      const start = createSessionStarter(runner, options, client, requireRest, deletions);
      const runInRoom = createRoomRunner(runner, options, client, requireRest);
      const dialin = createDialinRoute({
        verification,
        logger: runner.logger,
        requireReady() {
          if (!options.dialinWithoutBrowser) requireClient(client);
        },
        async answer(call) {
          const { callId, from, to } = call;
          const started = await start({
            body: dialinRequest(call, { apiKey: apiKey ?? "", apiUrl }),
            roomProperties: dialinRoomProperties(call),
            // Daily has no stream id.
            callData: { callId, streamId: callId, from, to },
          });
          return replyOf(started);
        },
      });

      return {
        routes: [createRoomRoute(() => start({})), ...(options.dialin ? [dialin] : [])],
        async start({ body }) {
          const started = await start({ body: body.body, ...readRoomRequest(body, roomUrl) });
          return { sessionId: started.session.id, body: replyOf(started), extensible: true };
        },
        async close() {
          const late = new AbortController();
          const timer = setTimeout(() => late.abort(), closeTimeoutMs);
          await deletions.close(late.signal);
          await rest?.close(late.signal);
          clearTimeout(timer);
        },
        advanced: {
          claims: claimsRoom,
          cleanUpAfterCrash: (record) => deletions.add((record as CrashRecord).room, requireRest(), runner.logger),
          joinRoom({ url, token, body }) {
            const session = runner.createSession({ body, reserve: true });
            runInRoom(session, { roomUrl: url, token });
            return session;
          },
          async direct() {
            const { session, roomUrl: url } = await start({ ownsRoom: true });
            session.logger.info(`open ${url} to talk to the bot`);
            await session.ended;
          },
          banner() {
            if (apiKey === undefined) return [];
            const joins = options.dialinWithoutBrowser || client.check().state === "ready";
            const webhook = runner.url("/daily-dialin-webhook").href;
            const condition = verification === "reject" ? " once DAILY_PINLESS_HMAC_SECRET is set" : "";
            return [
              `${runner.url("/daily").href} opens a room with a bot`,
              ...(options.dialin && joins ? [`${webhook} accepts phone calls${condition}`] : []),
            ];
          },
        },
      };
    },
  };
}

/** The Daily transport with headless Chromium. */
const plugin: TransportPlugin<DailyOptions> = createDailyPlugin(createBrowserClient);
export default plugin;

/** Without a Daily client, rooms are created and bots run. That is enough for bots that join on their own. */
function checkClient(client: DailyClient): Availability {
  const availability = client.check();
  if (availability.state === "ready") return availability;
  return { ...availability, reason: `Rooms are created, but bots cannot join them. ${availability.reason}` };
}

/** Throws DAILY_BROWSER_MISSING, because the phone call would stay on hold. */
function requireClient(client: DailyClient): void {
  const availability = client.check();
  if (availability.state === "ready") return;
  throw new RunnerError("DAILY_BROWSER_MISSING", `The phone call cannot be accepted. ${availability.reason}`, {
    status: 503,
    fix: `${availability.fix} If the bot joins on its own, use --daily-dialin-without-browser.`,
  });
}

/** The reply that Pipecat's clients expect. */
function replyOf({ session, roomUrl, callerToken }: StartedSession): Readonly<Record<string, unknown>> {
  return { dailyRoom: roomUrl, dailyToken: callerToken, sessionId: session.id };
}
