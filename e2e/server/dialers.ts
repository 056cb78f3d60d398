import { createFakeExotel } from "@pipecat-ts/runner-telephony-exotel/testing";
import { createFakePlivo } from "@pipecat-ts/runner-telephony-plivo/testing";
import { createFakeTelnyx, createTelnyxAccount } from "@pipecat-ts/runner-telephony-telnyx/testing";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/testing";
import type { FakeCaller } from "@pipecat-ts/runner-testing";
import type { FakeCarrier } from "@pipecat-ts/runner-testing/phone";
import type { Crash } from "./crashing-echo-bot.ts";
import type { Server, ServerTransport } from "./server-process.ts";

/** Calls a server by one transport, and has the bot crash where `crash` says so. Rejects when the call is turned away. */
export type Dial = (server: Server, crash?: Crash) => Promise<FakeCaller>;

/** How each transport's callers call. Phones are not signed: the server is known by no public URL. */
export const dialers: Readonly<Record<ServerTransport, Dial>> = {
  websocket: (server, crash) => server.call({ body: { crash } }),
  webrtc: (server, crash) => server.callByWebRTC({ body: { crash } }),
  twilio: byPhone("twilio", createFakeTwilio({ accountSid: "AC0123", authToken: "Twilio's token" })),
  telnyx: byPhone("telnyx", createFakeTelnyx(createTelnyxAccount("Telnyx's key"))),
  plivo: byPhone("plivo", createFakePlivo({ authId: "MA0123", authToken: "Plivo's token" })),
  exotel: byPhone(
    "exotel",
    createFakeExotel({ apiKey: "Exotel's key", apiToken: "Exotel's token" }, { dynamic: true }),
  ),
};

function byPhone(name: string, carrier: FakeCarrier): Dial {
  return ({ port }, crash) => {
    const body = Buffer.from(JSON.stringify({ crash })).toString("base64url");
    return carrier.call({ at: new URL(`http://127.0.0.1:${port}`), path: `/${name}?body=${body}` });
  };
}
