import { expect, test } from "vitest";
import { publicHost, transportOptions } from "./transports.ts";

test("lists the runner's transports: supported ones first, WebRTC before all others", () => {
  const options = transportOptions(["twilio", "websocket", "moq", "webrtc"]);
  expect(options.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
    "webrtc: console",
    "websocket: console",
    "twilio: phone",
    "moq: unsupported",
  ]);
  expect(transportOptions([])).toEqual([]);
});

test("a transport named like an inherited property is unsupported", () => {
  expect(transportOptions(["constructor"])).toEqual([
    { kind: "unsupported", name: "constructor", label: "constructor" },
  ]);
});

test.each(["twilio", "telnyx", "plivo", "exotel"])("the instructions for %s have the public address", (name) => {
  const [option] = transportOptions([name]);
  expect(option?.kind === "phone" && option.carrier.setUp("bots.example.com")).toMatch(
    /(https|wss):\/\/bots\.example\.com\//,
  );
});

test("the public address is the page's own only if carriers can reach it", () => {
  expect(publicHost({ protocol: "https:", host: "bots.example.com" })).toBe("bots.example.com");
  expect(publicHost({ protocol: "http:", host: "localhost:7860" })).toBe("your-public-host");
});
