import type { IncomingMessage } from "node:http";
import type {
  CallData,
  OpenTransport,
  RunnerContext,
  Session,
  SessionArguments,
  StartReply,
  TransportPlugin,
} from "@pipecat-ts/runner-core";
import { createPacer } from "@pipecat-ts/runner-media";
import { availabilityOf } from "./availability.ts";
import { createCallControl } from "./call-control.ts";
import { bodyInQuery, numbersInQuery } from "./call-url.ts";
import type { Carrier, CarrierOptions } from "./carrier.ts";
import type { CallCodec } from "./codec.ts";
import { createGuard } from "./guard.ts";
import { createLine } from "./line.ts";
import { publicUrlMissing } from "./public-url.ts";
import { createRest } from "./rest.ts";
import { type AnnouncedCall, socketPath, switchboardOf } from "./switchboard.ts";
import { createPhoneTransport } from "./transport.ts";
import { createWebhook, transferParameter } from "./webhook.ts";

/** How long a runner that closes waits for calls to be hung up. Of 2 s that it gives a transport. */
const lastHangUpsMs = 1_500;

/**
 * Makes a transport of a carrier: its webhook at `/{name}`, and at `/` when the runner is restricted to it; the socket path
 * `/ws`, which all carriers of a runner share; sessions, media, hang-up.
 */
export function createTelephonyPlugin<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
): TransportPlugin<Options> {
  return {
    name: carrier.name,
    options: carrier.options,
    check: (options, settings) => availabilityOf(carrier, options, settings),
    open: (runner, options) => openCarrier(carrier, runner, options),
  };
}

function openCarrier<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  runner: RunnerContext,
  options: Options,
): OpenTransport {
  const { name, title, wire } = carrier;
  const pacer = runner.shared("pacer", createPacer);
  const switchboard = switchboardOf(runner);
  const guard = createGuard(carrier, options, runner.settings);
  const rest = createRest(title, pacer.clock);
  const isChosen = runner.settings.transport === name;
  const webhook = { runner, carrier, options, guard, switchboard };
  const { takesAnybody } = guard;
  const asked = { method: ["POST", "GET"], access: "carrier", takesAnybody } as const;

  function start(body: unknown): Session {
    const session = runner.createSession({ body });
    switchboard.expect(session, { carrier: name, callData: {}, byWebhook: false });
    return session;
  }

  /** Where the carrier is, by the URL that it opened the call's socket by. Should it not get there, the caller is lost. */
  function documentUrl(number: string, asked: IncomingMessage): URL {
    const url = runner.urlFor(`/${name}`, asked);
    if (!runner.settings.publicUrl && url.protocol !== "https:") {
      throw publicUrlMissing(`${title} has to fetch at an https URL by what a call is handed on`);
    }
    url.searchParams.set(transferParameter, number);
    return url;
  }

  function answer(announced: AnnouncedCall): void {
    const { start: message, callData } = announced;
    let session = announced.session ?? switchboard.waiting(name, callData.callId);
    try {
      const codec = wire.createCodec(message, callData, options);
      session ??= start(undefined);
      take(announced, session, codec);
    } catch (error) {
      if (session?.state === "pending") void session.end("transport-failed");
      throw error;
    }
  }

  function take({ socket, callData: announced, request }: AnnouncedCall, session: Session, codec: CallCodec): void {
    const { url } = request;
    const known = { ...numbersInQuery(url.searchParams), ...switchboard.expectationOf(session)?.callData };
    const callData: CallData = { ...known, ...announced };
    // One session for each call: throws for a second socket of one that is being served.
    if (runner.findSession(callData.callId) !== session) session.alias(callData.callId);
    const { logger } = session;
    const control = createCallControl({
      carrier,
      options,
      call: callData,
      rest,
      logger,
      documentUrl: (number) => documentUrl(number, request.request),
    });
    const { endsSilently = false } = wire;
    const line = createLine({ socket, codec, control, title, endsSilently, pacer, logger });
    const body = [session.body, bodyInQuery(url.searchParams.get("body")), callData.body].find(
      (some) => some !== undefined,
    );
    session.run<SessionArguments>({ transport: name, callData, body }, async (params) =>
      createPhoneTransport({
        name,
        title,
        params,
        line,
        codec,
        control,
        credentialsFix: carrier.api?.fix,
        pacer,
        logger,
      }),
    );
    session.own((reason) => line.end(reason));
    void line.left.then((reason) => session.end(reason));
  }

  const disconnect = switchboard.connect({ name, title, guard, recogniseCall: wire.recogniseCall, answer });
  const publicUrl = (path: string, scheme?: "ws") => runner.urlFor(path, undefined, scheme);
  return {
    routes: [
      { ...asked, path: `/${name}`, handle: createWebhook(webhook, false) },
      ...(isChosen ? [{ ...asked, path: "/", handle: createWebhook(webhook, true) }] : []),
    ],
    sockets: [switchboard.route],
    start({ body, request }): StartReply {
      const session = start(body.body);
      const path = `${socketPath}/${runner.socketSegment(session)}`;
      return { sessionId: session.id, body: { wsUrl: runner.urlFor(path, request, "ws").href } };
    },
    banner: () => [carrier.setUp(publicUrl(isChosen ? "/" : `/${name}`), publicUrl(socketPath, "ws"))],
    async close() {
      disconnect();
      await rest.close(lastHangUpsMs);
    },
  };
}
