/** A phone carrier, and what a person does once so that its numbers ring the bot. */
export interface PhoneCarrier {
  readonly label: string;
  /** What to set in the carrier's own console, for a runner that the carrier reaches at `host`. */
  setUp(host: string): string;
}

/** The carriers this page can explain, by transport name. */
export const phoneCarriers: Readonly<Record<string, PhoneCarrier>> = {
  twilio: {
    label: "Twilio",
    setUp: (host) =>
      `In the Twilio console, open your phone number and let “A call comes in” send an HTTP POST to https://${host}/`,
  },
  telnyx: {
    label: "Telnyx",
    setUp: (host) =>
      `In the Telnyx portal, make a TeXML application that sends its voice webhook by POST to https://${host}/ and assign your number to it.`,
  },
  plivo: {
    label: "Plivo",
    setUp: (host) =>
      `In the Plivo console, make an XML application whose answer URL is https://${host}/ and assign your number to it.`,
  },
  exotel: {
    label: "Exotel",
    setUp: (host) =>
      `In Exotel's App Bazaar, make a flow with a Voicebot applet whose URL is wss://${host}/ws and assign your number to it.`,
  },
};

/** The name under which carriers reach this runner: the page's own host, or a placeholder when that is this machine only. */
export function publicHost({ protocol, host }: Pick<Location, "protocol" | "host">): string {
  return protocol === "https:" ? host : "your-public-host";
}
