/** A page of the site: a Markdown file of the repository. */
export interface Page {
  /** Its address on the site, without a leading slash. */
  readonly path: string;
  /** The file, from the root of the repository. */
  readonly file: string;
  /** Its title in the menu. */
  readonly title: string;
}

/** A part of the menu. */
export interface Section {
  readonly title: string;
  readonly pages: readonly Page[];
}

function page(path: string, title: string, file: string = `docs/${path}.md`): Page {
  return { path, file, title };
}

function readme(path: string, title: string, name: string): Page {
  return page(path, title, `packages/${name}/README.md`);
}

/** The menu. Files are shown where they are, so that GitHub, npm and the site have the same text. */
export const sections: readonly Section[] = [
  {
    title: "Start",
    pages: [
      page("quick-start", "Quick start"),
      page("how-it-works", "How it works"),
      page("moving-from-python", "Moving from Python"),
    ],
  },
  {
    title: "Build a bot",
    pages: [
      page("bots/basics", "Basics"),
      page("bots/realtime", "Speech-to-speech models"),
      page("bots/cascade", "Cascades"),
      page("bots/functions", "Function calls"),
      page("bots/interruption", "Interruption"),
      page("bots/recording", "Recording"),
      page("bots/testing", "Testing"),
      readme("rtvi", "Messages to the client (RTVI)", "rtvi"),
      readme("files", "Uploaded files", "runner-files"),
    ],
  },
  {
    title: "Transports",
    pages: [
      readme("transports/webrtc", "WebRTC", "runner-webrtc"),
      readme("transports/websocket", "WebSocket", "runner-websocket"),
      readme("transports/telephony", "Phone calls", "runner-telephony"),
      readme("transports/twilio", "Twilio", "runner-telephony-twilio"),
      readme("transports/telnyx", "Telnyx", "runner-telephony-telnyx"),
      readme("transports/plivo", "Plivo", "runner-telephony-plivo"),
      readme("transports/exotel", "Exotel", "runner-telephony-exotel"),
      readme("transports/vonage", "Vonage", "runner-telephony-vonage"),
      readme("transports/whatsapp", "WhatsApp", "runner-whatsapp"),
      readme("transports/daily", "Daily", "runner-daily"),
      readme("transports/livekit", "LiveKit", "runner-livekit"),
      page("writing-a-transport", "Write a transport"),
      readme("conformance", "Conformance suite", "runner-testing"),
    ],
  },
  {
    title: "Operate",
    pages: [
      page("calling-your-bot", "Call your bot"),
      page("troubleshooting", "Troubleshooting"),
      page("production", "In production"),
      page("scaling", "Scaling"),
      page("deployment-files", "Deployment files", "deploy/README.md"),
      page("pipecat-cloud", "Pipecat Cloud"),
      page("access", "Who may call"),
      page("security", "Security", "SECURITY.md"),
      page("reliability", "Reliability"),
      page("embedding", "Embed in your server"),
    ],
  },
  {
    title: "Reference",
    pages: [
      readme("command", "The command", "runner-cli"),
      page("options", "Flags and variables"),
      page("errors", "Error codes"),
      page("clients", "Clients"),
      page("parity", "Comparison with Python"),
      readme("create-pipecat-bot", "create-pipecat-bot", "create-pipecat-bot"),
    ],
  },
  {
    title: "Inside",
    pages: [
      page("architecture", "Architecture"),
      page("contributing", "Contributing", "CONTRIBUTING.md"),
      page("werift-patches", "Patches to werift"),
    ],
  },
];

export const pages: readonly Page[] = sections.flatMap((section) => section.pages);
