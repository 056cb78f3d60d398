import { expect, test } from "vitest";
import { publicHost } from "./phone-carriers.ts";
import { waysOf } from "./transports.ts";

test("offers what the runner offers and nothing else, what can be used here first, WebRTC before all", () => {
  const ways = waysOf(["twilio", "websocket", "moq", "webrtc"]);
  expect(ways.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
    "webrtc: console",
    "websocket: console",
    "twilio: phone",
    "moq: foreign",
  ]);
  expect(waysOf([])).toEqual([]);
});

test("a transport named like a property of every object is just one that this page does not know", () => {
  expect(waysOf(["constructor"])).toEqual([{ kind: "foreign", name: "constructor", label: "constructor" }]);
});

test.each(["twilio", "telnyx", "plivo", "exotel"])("%s is explained with the address that carriers call", (name) => {
  const [way] = waysOf([name]);
  expect(way?.kind === "phone" && way.carrier.setUp("bots.example.com")).toMatch(
    /(https|wss):\/\/bots\.example\.com\//,
  );
});

test("the address is the page's own only where a carrier could reach it", () => {
  expect(publicHost({ protocol: "https:", host: "bots.example.com" })).toBe("bots.example.com");
  expect(publicHost({ protocol: "http:", host: "localhost:7860" })).toBe("your-public-host");
});
