import { RunnerError, type RunnerSettings, type TransportPlugin } from "@pipecat-ts/runner-core";
import { type DailyOptions, dailyOptions } from "./options.ts";
import { apiKeyFix } from "./rooms/configure.ts";
import { dialinRequest, dialinRoomProperties } from "./rooms/dialin.ts";
import { createDialinRoute } from "./rooms/dialin-route.ts";
import { claimsRoom, readRoomRequest } from "./rooms/start-request.ts";
import { type ConnectRoom, createSessionStarter, type StartedSession } from "./start-session.ts";

/** Callers by Daily rooms, and by phone numbers of a Daily account. */
const plugin: TransportPlugin<DailyOptions> = {
  name: "daily",
  // A room costs money, so it is not what a request that says nothing means.
  rank: -1,
  options: dailyOptions,
  check({ apiKey }, settings) {
    if (apiKey !== undefined) return { state: "ready" };
    // Elsewhere it stays open, so that a request for a room is told what is missing and is not given to another transport.
    const state = settings.transport === "daily" ? "unavailable" : "limited";
    return { state, reason: "No rooms can be made: DAILY_API_KEY is not set.", fix: apiKeyFix };
  },
  open(runner, options) {
    const { roomUrl, apiUrl, pinlessHmacSecret } = options;
    const connect: ConnectRoom = () => async () => {
      throw new RunnerError("TRANSPORT_NOT_CONNECTED", "not yet");
    };
    const start = createSessionStarter(runner, options, connect);
    const dialin = createDialinRoute({
      pinlessHmacSecret,
      isPublic: isPublic(runner.settings),
      logger: runner.logger,
      requireReady: () => undefined,
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
      routes: [
        {
          method: "GET",
          path: "/daily",
          access: "caller",
          async handle(ctx) {
            ctx.redirect((await start({})).roomUrl);
          },
        },
        ...(options.dialin ? [dialin] : []),
      ],
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
      banner: () => [
        `${runner.urlFor("/daily").href} opens a room with a bot in it`,
        ...(options.dialin ? [`${runner.urlFor("/daily-dialin-webhook").href} takes phone calls`] : []),
      ],
      async close() {
        // Rooms and browsers are their sessions'.
      },
    };
  },
};
export default plugin;

/** What Pipecat's clients expect of `/start`. */
function replyOf({ session, roomUrl, callerToken }: StartedSession): Readonly<Record<string, unknown>> {
  return { dailyRoom: roomUrl, dailyToken: callerToken, sessionId: session.id };
}

function isPublic({ host, publicUrl }: RunnerSettings): boolean {
  return publicUrl !== undefined || !/^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/i.test(host);
}
