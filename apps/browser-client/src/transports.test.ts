import { expect, test } from "vitest";
import type { TransportProblem } from "./api.ts";
import { phoneSteps, publicHost, transportOptions, variablesIn } from "./transports.ts";

const optionsOf = (transports: readonly string[], problems: readonly TransportProblem[] = []) =>
  transportOptions({ transports, problems, requiresKey: false });

test("lists the runner's transports: supported ones first, WebRTC before all others, and last what cannot run", () => {
  const problem = { name: "daily", reason: "DAILY_API_KEY is not set.", fix: "Set it." };
  const limited = { name: "twilio", reason: "Twilio cannot reach this server.", fix: "" };
  const options = optionsOf(["twilio", "websocket", "moq", "webrtc"], [problem, limited]);
  expect(options.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
    "webrtc: console",
    "websocket: console",
    "twilio: phone",
    "moq: unsupported",
    "daily: unavailable",
  ]);
  expect(options.map((option) => option.problem)).toEqual([undefined, undefined, limited, undefined, problem]);
  expect(optionsOf([])).toEqual([]);
});

test("a transport named like an inherited property is unsupported", () => {
  expect(optionsOf(["constructor"])).toMatchObject([
    { kind: "unsupported", name: "constructor", label: "constructor" },
  ]);
});

test.each(["twilio", "telnyx", "plivo", "exotel", "vonage"])(
  "the steps for %s have a command and an address to copy",
  (name) => {
    const [option] = optionsOf([name]);
    if (option?.kind !== "phone") return expect.fail("not a phone");
    const [command, address] = phoneSteps(name, option.carrier, "bots.example.com").map(({ value }) => value);
    expect(command).toBe(`npx pipecat-runner bot.ts -t ${name} -x bots.example.com`);
    expect(address).toMatch(/^(https:\/\/|wss:\/\/<key>:<token>@)bots\.example\.com\//);
  },
);

test("finds the variables that a text names", () => {
  expect(variablesIn("Set TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_AUTH_TOKEN. See the SID in REST.")).toEqual([
    "TWILIO_AUTH_TOKEN",
    "TWILIO_API_KEY",
  ]);
});

test("the public address is the page's own only if carriers can reach it", () => {
  expect(publicHost({ protocol: "https:", host: "bots.example.com" })).toBe("bots.example.com");
  expect(publicHost({ protocol: "http:", host: "localhost:7860" })).toBe("your-public-host");
});
