import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { type BannerFacts, bannerText } from "./banner.ts";

const facts: BannerFacts = {
  version: "1.2.3",
  bot: "bot.ts",
  url: new URL("http://localhost:7860/"),
  hasClient: true,
  transports: [
    { name: "letter", availability: { state: "ready" }, selectable: true, banner: ["http://localhost:7860/letters"] },
    {
      name: "carrierPigeon",
      availability: { state: "limited", reason: "PIGEON_NAME is not set.", fix: "Set --pigeon-name or PIGEON_NAME." },
      selectable: true,
      banner: ["Send a pigeon to the roof"],
    },
    {
      name: "smoke",
      availability: { state: "unavailable", reason: "There is no fire.", fix: "Light one." },
      selectable: false,
      banner: [],
    },
  ],
  failures: [{ name: "runner-drum", reason: "It cannot be loaded: torn.", fix: "Update it." }],
  openToAll: [],
};

/** A terminal of this many columns, or a pipe. */
function stream(columns?: number): NodeJS.WriteStream {
  const terminal = { isTTY: columns !== undefined, columns, getColorDepth: () => 8, hasColors: () => true };
  return Object.assign(Object.create(process.stdout), terminal);
}

test("a pipe gets plain text: every transport with how to reach it, or what it lacks and the fix", () => {
  expect(bannerText(facts, stream())).toBe(`
  pipecat-runner 1.2.3 runs bot.ts

  http://localhost:7860  open it and talk

  letter         ready
                 http://localhost:7860/letters
  carrierPigeon  limited
                 Send a pigeon to the roof
                 PIGEON_NAME is not set.
                 Set --pigeon-name or PIGEON_NAME.
  smoke          off
                 There is no fire.
                 Light one.
  runner-drum    off
                 It cannot be loaded: torn.
                 Update it.
`);
});

test("a terminal gets the same in colours, within its width", () => {
  const text = bannerText({ ...facts, failures: [] }, stream(45));
  expect(text).toContain("\u001b[32mready");
  const lines = stripVTControlCharacters(text).split("\n");
  expect(lines).toContain("  letter         ready");
  const [reason] = facts.failures;
  const long = { ...facts, failures: [{ ...reason, name: "drum", reason: "word ".repeat(30).trim(), fix: "mend" }] };
  for (const line of stripVTControlCharacters(bannerText(long, stream(60))).split("\n"))
    expect(line.length).toBeLessThanOrEqual(60);
});

test("without a built client it says so", () => {
  expect(bannerText({ ...facts, hasClient: false }, stream())).toContain("the web client is not built");
});

test("what anyone may do who reaches the server is said, with what locks it", () => {
  const text = bannerText(
    { ...facts, transports: [], failures: [], openToAll: ["POST /start", "WS /nest"] },
    stream(60),
  );
  const lines = stripVTControlCharacters(text).trimEnd().split("\n").slice(-3);
  expect(lines).toEqual([
    "  Whoever reaches this server may use POST /start, WS /nest.",
    "  --api-key asks whoever starts calls for a key,",
    "  --ws-auth token every socket for its session's token.",
  ]);
});
