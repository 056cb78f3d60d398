import { stripVTControlCharacters } from "node:util";
import { clientTransports } from "@pipecat-ts/browser-client";
import { expect, test } from "vitest";
import { type BannerFacts, bannerText } from "./banner.ts";

const facts: BannerFacts = {
  version: "1.2.3",
  docs: "https://docs.example.com/",
  bot: "bot.ts",
  envFile: ".env",
  url: new URL("http://localhost:7860/"),
  networkUrls: [],
  publicUrl: undefined,
  hasClient: true,
  maxSessions: 40,
  transports: [
    {
      name: "letter",
      availability: { state: "ready" },
      startable: true,
      banner: ["http://localhost:7860/letters"],
      listeners: ["tcp://localhost:7000"],
    },
    {
      name: "carrierPigeon",
      availability: { state: "limited", reason: "PIGEON_NAME is not set.", fix: "Set --pigeon-name or PIGEON_NAME." },
      startable: true,
      banner: ["Send a pigeon to the roof"],
      listeners: [],
    },
    {
      name: "smoke",
      availability: { state: "unavailable", reason: "Nothing burns.", fix: "Light one." },
      startable: false,
      banner: [],
      listeners: [],
    },
  ],
  failures: [{ name: "runner-drum", reason: "Cannot load it: torn.", fix: "Update it." }],
  missing: [],
  unauthenticatedRoutes: [],
  keys: "",
};

/** A transport that the web client supports. */
const [pageTransport = ""] = Object.keys(clientTransports);
const talking: BannerFacts["transports"] = [
  { name: pageTransport, availability: { state: "ready" }, startable: true, banner: [], listeners: [] },
];

/** A terminal of this many columns, or a pipe. */
function stream(columns?: number): NodeJS.WriteStream {
  const terminal = { isTTY: columns !== undefined, columns, getColorDepth: () => 8, hasColors: () => true };
  return Object.assign(Object.create(process.stdout), terminal);
}

test("a pipe gets plain text: every transport with its address, or what it lacks and the fix", () => {
  expect(bannerText(facts, stream())).toBe(`
  pipecat-runner 1.2.3 runs bot.ts

  http://localhost:7860  no transport works in a browser

  letter         ready
                 tcp://localhost:7000
                 http://localhost:7860/letters
  carrierPigeon  limited
                 Send a pigeon to the roof
                 PIGEON_NAME is not set.
                 → Set --pigeon-name or PIGEON_NAME.
  smoke          off
                 Nothing burns.
                 → Light one.
  runner-drum    off
                 Cannot load it: torn.
                 → Update it.

  → To talk to the bot in a browser: npm install ${Object.values(clientTransports)[0]}

  Up to 40 calls at once (--max-sessions).

  Docs: https://docs.example.com/
  To check keys, ports and the network: npx pipecat-runner doctor bot.ts
`);
});

test("the banner names the required options of the bot that are not set, each with its fix", () => {
  const key = { label: "PIGEON_KEY", description: "Key of the pigeon service", flag: undefined, env: "PIGEON_KEY" };
  const mood = { label: "--mood", description: "Mood of the pigeon", flag: "mood", env: undefined };
  const text = bannerText({ ...facts, transports: talking, missing: [key, mood] }, stream());
  expect(text).toContain(`

  PIGEON_KEY is not set: Key of the pigeon service. Calls fail without it. Set it, and restart:
  → Add PIGEON_KEY=<value> to .env.
  --mood is not set: Mood of the pigeon. Calls fail without it. Set it, and restart:
  → Start with --mood <value>.

  Up to 40 calls`);
});

test.each<[string, Partial<BannerFacts>, string, string]>([
  ["works", { transports: talking }, "open it and talk", ""],
  ["is not built", { transports: talking, hasClient: false }, "the web client is not built", "pnpm build"],
  [
    "cannot use the transport, which shows its own fix",
    { transports: talking.map((report) => ({ ...report, startable: false })) },
    "no transport works in a browser",
    "",
  ],
  ["has no transport", { transports: [] }, "no transport works in a browser", "npm install @"],
])("the banner of a runner whose page %s", (_, more, note, fix) => {
  const text = bannerText({ ...facts, failures: [], ...more }, stream());
  expect(text).toContain(`http://localhost:7860  ${note}\n`);
  if (note !== "open it and talk") expect(text).not.toContain("talk\n");
  if (fix === "") expect(text).not.toContain("→");
  else expect(text).toMatch(new RegExp(`→ To talk to the bot in a browser.*: ${fix}`));
});

test("addresses in the network are for apps, because browsers refuse the microphone there", () => {
  const networkUrls = [new URL("http://192.0.2.7:7860")];
  const insecure = "for apps; browsers allow the microphone only over https or on localhost";
  const text = bannerText({ ...facts, transports: talking, networkUrls }, stream());
  expect(text).toContain(`
  http://localhost:7860  open it and talk
  http://192.0.2.7:7860  ${insecure}

`);
  const bound = bannerText({ ...facts, transports: talking, url: new URL("http://192.0.2.7:7860") }, stream());
  expect(bound).toContain(`http://192.0.2.7:7860  ${insecure}\n`);
});

test("the public URL is a QR code on a terminal that is wide enough, if anyone can talk there", () => {
  const open = { ...facts, transports: talking, publicUrl: new URL("https://bots.example.com/") };
  const terminal = stripVTControlCharacters(bannerText(open, stream(80)));
  expect(terminal).toContain("\n  https://bots.example.com  open it and talk\n");
  expect(terminal).toMatch(/\n {2}[█▀▄ ]{25,}\n/);
  expect(bannerText(open, stream(20))).not.toContain("█");
  expect(bannerText(open, stream())).not.toContain("█");
  expect(bannerText({ ...open, transports: [] }, stream(80))).not.toContain("█");
});

test("transports that are off for the same reason are listed together", () => {
  const off = { state: "unavailable", reason: 'Restricted to "letter".', fix: "Start without it." } as const;
  const transports = ["smoke", "drum"].map((name) => ({ ...talking[0], name, availability: off, startable: false }));
  const text = bannerText({ ...facts, transports: [...talking, ...transports] as typeof talking }, stream());
  expect(text).toContain(`

  smoke, drum: Restricted to "letter".
  → Start without it.

`);
  expect(text).not.toMatch(/smoke +off/);
});

test("without a limit of calls, the banner tells how to set one", () => {
  const text = bannerText({ ...facts, maxSessions: Number.POSITIVE_INFINITY }, stream());
  expect(text).toContain("No limit of calls: set one with --max-sessions.");
  expect(bannerText({ ...facts, maxSessions: 1 }, stream())).toContain("Up to 1 call at once");
});

test("a terminal gets colors, within its width", () => {
  const text = bannerText({ ...facts, failures: [] }, stream(45));
  expect(text).toContain("\u001b[32mready");
  const lines = stripVTControlCharacters(text).split("\n");
  expect(lines).toContain("  letter         ready");
  const [reason] = facts.failures;
  const long = { ...facts, failures: [{ ...reason, name: "drum", reason: "word ".repeat(30).trim(), fix: "mend" }] };
  for (const line of stripVTControlCharacters(bannerText(long, stream(60))).split("\n"))
    expect(line.length).toBeLessThanOrEqual(60);
});

test("the banner lists unauthenticated routes and how to close them", () => {
  const text = bannerText(
    { ...facts, transports: [], failures: [], unauthenticatedRoutes: ["POST /start", "WS /nest"] },
    stream(60),
  );
  const lines = stripVTControlCharacters(text).trimEnd().split("\n").slice(-6, -4);
  expect(lines).toEqual([
    "  Anyone who knows this address can use POST /start,",
    "  WS /nest. Add --api-key <16+ characters> to require a key.",
  ]);
});
