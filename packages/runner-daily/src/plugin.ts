import { type Availability, RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createPacer } from "@pipecat-ts/runner-media";
import { createBrowserEngine } from "./call/browser/browser-engine.ts";
import type { DailyEngine } from "./call/daily-call.ts";
import { type DailyOptions, dailyOptions } from "./options.ts";
import { createRoomRoute } from "./room-route.ts";
import { apiKeyFix } from "./rooms/configure.ts";
import { dialinRequest, dialinRoomProperties } from "./rooms/dialin.ts";
import { createDialinRoute } from "./rooms/dialin-route.ts";
import { chooseVerification } from "./rooms/dialin-verification.ts";
import { createRoomDeletions } from "./rooms/room-deletions.ts";
import { claimsRoom, readRoomRequest } from "./rooms/start-request.ts";
import { type ConnectRoom, createSessionStarter, type StartedSession } from "./start-session.ts";
import { joinRoom } from "./transport.ts";

/** Callers by Daily rooms, and by phone numbers of a Daily account, whose bots join by the engine that `createEngine` makes. */
export function createDailyPlugin(createEngine: (options: DailyOptions) => DailyEngine): TransportPlugin<DailyOptions> {
  return {
    name: "daily",
    // A room costs money, so it is not what a request that says nothing means.
    rank: -1,
    options: dailyOptions,
    check(options, settings) {
      if (options.apiKey !== undefined) return checkEngine(createEngine(options));
      // Elsewhere it stays open, so that a request for a room is told what is missing and is not given to another transport.
      const state = settings.transport === "daily" ? "unavailable" : "limited";
      return { state, reason: "No rooms can be made: DAILY_API_KEY is not set.", fix: apiKeyFix };
    },
    open(runner, options) {
      const { roomUrl, apiUrl, joinTimeout, emptyRoomTimeout } = options;
      const engine = createEngine(options);
      const verification = chooseVerification(options, runner.settings);
      const deletions = createRoomDeletions(runner.logger);
      const pacer = runner.shared("pacer", createPacer);
      const connect: ConnectRoom = (session, room, token, rest) => (params) =>
        joinRoom({
          engine,
          roomUrl: room.url,
          token,
          params,
          logger: session.logger,
          body: session.body,
          pacer,
          rest,
          joinTimeout,
          emptyRoomTimeout,
          opened: (call) => session.own(() => call.close()),
        });
      const start = createSessionStarter(runner, options, connect, deletions);
      const dialin = createDialinRoute({
        verification,
        logger: runner.logger,
        requireReady() {
          if (!options.dialinWithoutBrowser) requireEngine(engine);
        },
        async answer(call) {
          const { callId, from, to } = call;
          const started = await start({
            body: dialinRequest(call, { apiKey: options.apiKey ?? "", apiUrl }),
            roomProperties: dialinRoomProperties(call),
            // Daily tells of no stream of its own.
            callData: { callId, streamId: callId, from, to },
          });
          return replyOf(started);
        },
      });

      return {
        routes: [createRoomRoute(() => start({})), ...(options.dialin ? [dialin] : [])],
        claims: claimsRoom,
        async start({ body }) {
          const started = await start({ body: body.body, ...readRoomRequest(body, roomUrl) });
          return { sessionId: started.session.id, body: replyOf(started) };
        },
        async direct() {
          const { session, roomUrl: url } = await start({});
          session.logger.info(`Open ${url} to talk to the bot.`);
          await session.ended;
        },
        banner() {
          if (options.apiKey === undefined) return [];
          const webhook = runner.urlFor("/daily-dialin-webhook").href;
          const joins = options.dialinWithoutBrowser || engine.check().state === "ready";
          const calls =
            verification === "refused" ? "phone calls once DAILY_PINLESS_HMAC_SECRET is set" : "phone calls";
          return [
            `${runner.urlFor("/daily").href} opens a room with a bot in it`,
            ...(options.dialin && joins ? [`${webhook} takes ${calls}`] : []),
          ];
        },
        // Browsers, and rooms that are in use, are their sessions'.
        close: () => deletions.close(),
      };
    },
  };
}

/** With headless Chromium. */
const plugin: TransportPlugin<DailyOptions> = createDailyPlugin(createBrowserEngine);
export default plugin;

/** Without an engine rooms are made and bots run all the same; those that join by themselves need no more. */
function checkEngine(engine: DailyEngine): Availability {
  const availability = engine.check();
  if (availability.state === "ready") return availability;
  return { ...availability, reason: `Rooms are made, but bots cannot join them here. ${availability.reason}` };
}

/** A caller would wait on hold for a bot that cannot come. Throws DAILY_BROWSER_MISSING. */
function requireEngine(engine: DailyEngine): void {
  const availability = engine.check();
  if (availability.state === "ready") return;
  throw new RunnerError("DAILY_BROWSER_MISSING", `No phone call can be taken here. ${availability.reason}`, {
    status: 503,
    fix: `${availability.fix} Bots that join by themselves: --daily-dialin-without-browser.`,
  });
}

/** What Pipecat's clients expect of `/start`. */
function replyOf({ session, roomUrl, callerToken }: StartedSession): Readonly<Record<string, unknown>> {
  return { dailyRoom: roomUrl, dailyToken: callerToken, sessionId: session.id };
}
