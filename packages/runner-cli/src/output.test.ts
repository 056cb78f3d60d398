import { stripVTControlCharacters } from "node:util";
import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { type BannerFacts, bannerText, failureText } from "./output.ts";

const facts: BannerFacts = {
  version: "1.2.3",
  bot: "bot.ts",
  url: new URL("http://localhost:7860/"),
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
};

/** A terminal of this many columns, or a pipe. */
function stream(columns?: number): NodeJS.WriteStream {
  const terminal = { isTTY: columns !== undefined, columns, getColorDepth: () => 8, hasColors: () => true };
  return Object.assign(Object.create(process.stdout), terminal);
}

test("a pipe gets plain text: every transport with its address, or what it lacks and the fix", () => {
  expect(bannerText(facts, stream())).toBe(`
  pipecat-runner 1.2.3 runs bot.ts

  http://localhost:7860  open it and talk

  letter         ready
                 tcp://localhost:7000
                 http://localhost:7860/letters
  carrierPigeon  limited
                 Send a pigeon to the roof
                 PIGEON_NAME is not set.
                 Set --pigeon-name or PIGEON_NAME.
  smoke          off
                 Nothing burns.
                 Light one.
  runner-drum    off
                 Cannot load it: torn.
                 Update it.

  Up to 40 calls at once (--max-sessions).
`);
});

test("the banner names the required options of the bot that are not set", () => {
  const missing = [{ label: "PIGEON_KEY", description: "Key of the pigeon service" }];
  expect(bannerText({ ...facts, missing }, stream())).toContain(`

  PIGEON_KEY is not set: Key of the pigeon service.
  Add it to .env and restart: calls fail without it.

  Up to 40 calls`);
});

test("without a limit of calls, the banner tells how to set one", () => {
  const text = bannerText({ ...facts, maxSessions: Number.POSITIVE_INFINITY }, stream());
  expect(text).toContain("No limit of calls: set one with --max-sessions.");
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

test("the banner says when the web client is not built", () => {
  expect(bannerText({ ...facts, hasClient: false }, stream())).toContain("the web client is not built");
});

test("the banner lists unauthenticated routes and how to close them", () => {
  const text = bannerText(
    { ...facts, transports: [], failures: [], unauthenticatedRoutes: ["POST /start", "WS /nest"] },
    stream(60),
  );
  const lines = stripVTControlCharacters(text).trimEnd().split("\n").slice(-2);
  expect(lines).toEqual([
    "  Anyone who knows this address can use POST /start,",
    "  WS /nest. Add --api-key <16+ characters> to require a key.",
  ]);
});

const pipe = Object.assign(Object.create(process.stderr), { isTTY: false });

test("a RunnerError is one line with its fix; verbose adds stack and cause", () => {
  const error = new RunnerError("PORT_IN_USE", "Port 1 is in use.", {
    fix: "Choose another.",
    cause: new Error("EADDRINUSE"),
  });
  expect(failureText(error, false, pipe)).toBe("error: Port 1 is in use. Choose another.");
  expect(failureText(error, true, pipe)).toMatch(
    /^error: Port 1 is in use\. Choose another\.\n(.|\n)+ at (.|\n)+EADDRINUSE/,
  );
});

test("other errors show their stack", () => {
  expect(failureText(new TypeError("x is undefined"), false, pipe)).toMatch(/^error: TypeError: x is undefined\n +at /);
  expect(failureText("thrown text", false, pipe)).toBe("error: 'thrown text'");
});
