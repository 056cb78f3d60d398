import type { clientTransports } from "../index.js";
import { type Console, webrtcConsole, websocketConsole } from "./consoles.ts";

/** A transport of the runner, and how this page presents it. */
export type TransportOption =
  | { readonly kind: "console"; readonly name: string; readonly label: string; readonly console: Console }
  | { readonly kind: "phone"; readonly name: string; readonly label: string; readonly carrier: PhoneCarrier }
  | { readonly kind: "unsupported"; readonly name: string; readonly label: string };

/** The transports that this page supports, the preferred one first: WebRTC handles packet loss better than a WebSocket. */
const consoles: Readonly<Record<keyof typeof clientTransports, Console>> = {
  webrtc: webrtcConsole,
  websocket: websocketConsole,
};

/** A phone carrier, and how to connect a phone number to the bot. */
export interface PhoneCarrier {
  readonly label: string;
  /** Describes the settings in the carrier's console, for a runner with the public host name `host`. */
  setUp(host: string): string;
}

/** The carriers that this page explains, by transport name. */
const phoneCarriers: Readonly<Record<string, PhoneCarrier>> = {
  twilio: {
    label: "Twilio",
    setUp: (host) =>
      `In the Twilio console, open your phone number and set “A call comes in” to an HTTP POST to https://${host}/`,
  },
  telnyx: {
    label: "Telnyx",
    setUp: (host) =>
      `In the Telnyx portal, create a TeXML application that sends its voice webhook as a POST to https://${host}/ and assign your number to it.`,
  },
  plivo: {
    label: "Plivo",
    setUp: (host) =>
      `In the Plivo console, create an XML application with the answer URL https://${host}/ and assign your number to it.`,
  },
  exotel: {
    label: "Exotel",
    setUp: (host) =>
      `In Exotel's App Bazaar, create a flow with a Voicebot applet for the URL wss://${host}/ws and assign your number to it.`,
  },
};

/** Returns the options for the runner's transports: first those with a console, then the others in the runner's order. */
export function transportOptions(transports: readonly string[]): TransportOption[] {
  const supported = Object.keys(consoles).filter((name) => transports.includes(name));
  return [...supported, ...transports.filter((name) => !supported.includes(name))].map(optionFor);
}

function optionFor(name: string): TransportOption {
  const console = lookUp(consoles, name);
  if (console) return { kind: "console", name, label: console.label, console };
  const carrier = lookUp(phoneCarriers, name);
  if (carrier) return { kind: "phone", name, label: carrier.label, carrier };
  return { kind: "unsupported", name, label: name };
}

function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Returns the host name under which carriers reach this runner, or a placeholder if the page has a local address. */
export function publicHost({ protocol, host }: Pick<Location, "protocol" | "host">): string {
  return protocol === "https:" ? host : "your-public-host";
}
