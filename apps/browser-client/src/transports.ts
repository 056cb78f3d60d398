import type { clientTransports } from "../index.js";
import type { Status, TransportProblem } from "./api.ts";

/** A transport of the runner, and how this page presents it. */
export type TransportOption = {
  readonly name: string;
  readonly label: string;
  /** A missing setting that limits it, or keeps it from running. */
  readonly problem?: TransportProblem | undefined;
} & (
  | { readonly kind: "console" | "unsupported" | "unavailable" }
  | { readonly kind: "phone"; readonly carrier: PhoneCarrier }
);

/** The transports that this page connects over, the preferred one first: WebRTC handles packet loss better than a WebSocket. */
const consoleLabels: Readonly<Record<keyof typeof clientTransports, string>> = {
  webrtc: "WebRTC",
  websocket: "WebSocket",
};

/** The names of vendors whose clients connect to the bot. */
const vendorLabels: Readonly<Record<string, string>> = { daily: "Daily", livekit: "LiveKit", whatsapp: "WhatsApp" };

/** A phone carrier, and how to connect a phone number to the bot. */
export interface PhoneCarrier {
  readonly label: string;
  /** What to do in the carrier's console with the address in `value`, for a runner with the public host name `host`. */
  setUp(host: string): Step;
}

/** A step of a set-up. `value` is for copying. */
export interface Step {
  readonly text: string;
  readonly value?: string;
}

/** The carriers that this page explains, by transport name. */
const phoneCarriers: Readonly<Record<string, PhoneCarrier>> = {
  twilio: {
    label: "Twilio",
    setUp: (host) => ({
      text: "In the Twilio console, open your phone number and set “A call comes in” to Webhook, HTTP POST and this URL:",
      value: `https://${host}/`,
    }),
  },
  telnyx: {
    label: "Telnyx",
    setUp: (host) => ({
      text: "In the Telnyx portal, create a TeXML application that sends its voice webhook as a POST to this URL, and assign your number to it:",
      value: `https://${host}/`,
    }),
  },
  plivo: {
    label: "Plivo",
    setUp: (host) => ({
      text: "In the Plivo console, create an XML application with this answer URL, and assign your number to it:",
      value: `https://${host}/`,
    }),
  },
  exotel: {
    label: "Exotel",
    setUp: (host) => ({
      text: "In Exotel's App Bazaar, create a flow with a Voicebot applet for this URL (without <key>:<token>@ if EXOTEL_API_KEY and EXOTEL_API_TOKEN are not set), and assign your number to it:",
      value: `wss://<key>:<token>@${host}/ws`,
    }),
  },
  vonage: {
    label: "Vonage",
    setUp: (host) => ({
      text: "In the Vonage dashboard, create an application with the Voice capability, set its answer URL and its event URL to HTTP POST and this URL, and link your number to it:",
      value: `https://${host}/`,
    }),
  },
};

/** The steps until a phone reaches the bot through a carrier. */
export function phoneSteps(name: string, { label, setUp }: PhoneCarrier, host: string): readonly Step[] {
  return [
    {
      text: `Run the bot at an address that ${label} can reach:`,
      value: `npx pipecat-runner bot.ts -t ${name} -x ${host}`,
    },
    setUp(host),
    { text: "Call the number from any phone." },
  ];
}

/** The names of variables in a text, such as `TWILIO_AUTH_TOKEN`. */
export function variablesIn(text: string): readonly string[] {
  return [...new Set(text.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g) ?? [])];
}

/**
 * Returns the options for the runner's transports: first those that this page connects over, then the others in the runner's
 * order, then those that cannot run.
 */
export function transportOptions({ transports, problems }: Status): TransportOption[] {
  const problemOf = (name: string) => problems.find((problem) => problem.name === name);
  const supported = Object.keys(consoleLabels).filter((name) => transports.includes(name));
  const others = transports.filter((name) => !supported.includes(name));
  const unavailable = problems.filter(({ name }) => !transports.includes(name));
  return [
    ...[...supported, ...others].map((name) => optionFor(name, problemOf(name))),
    ...unavailable.map((problem) => ({ ...optionFor(problem.name, problem), kind: "unavailable" as const })),
  ];
}

function optionFor(name: string, problem: TransportProblem | undefined): TransportOption {
  const label = lookUp(consoleLabels, name);
  if (label !== undefined) return { kind: "console", name, label, problem };
  const carrier = lookUp(phoneCarriers, name);
  if (carrier) return { kind: "phone", name, label: carrier.label, carrier, problem };
  return { kind: "unsupported", name, label: lookUp(vendorLabels, name) ?? name, problem };
}

function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Returns the host name under which carriers reach this runner, or a placeholder if the page has a local address. */
export function publicHost({ protocol, host }: Pick<Location, "protocol" | "host">): string {
  return protocol === "https:" ? host : "your-public-host";
}
