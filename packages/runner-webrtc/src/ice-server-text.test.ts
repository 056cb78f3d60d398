import { expect, test } from "vitest";
import { parseIceServerText } from "./ice-server-text.ts";

const stun = "stun:stun.example.net:3478";
const turn = { urls: "turn:turn.example.net:3478?transport=udp", username: "caller", credential: 'a"},{[,' };

test.each([
  ["a bare URL", stun, [{ urls: stun }]],
  ["bare URLs between commas", ` ${stun}, stuns:[2001:db8::1] ,`, [{ urls: stun }, { urls: "stuns:[2001:db8::1]" }]],
  ["a JSON object, with commas and brackets in it", JSON.stringify(turn), [turn]],
  ["JSON objects and URLs between commas", `${JSON.stringify(turn)},${stun}`, [turn, { urls: stun }]],
  ["a JSON array of objects", JSON.stringify([{ urls: [stun] }, turn], undefined, 2), [{ urls: [stun] }, turn]],
  ["a JSON array of URLs", JSON.stringify([stun, stun]), [{ urls: stun }, { urls: stun }]],
  ["arrays between commas", `[${JSON.stringify(turn)}],["${stun}"]`, [turn, { urls: stun }]],
  ["nothing", " , ", []],
])("%s", (_, text, servers) => {
  expect(parseIceServerText(text)).toEqual(servers);
});

test("what browsers' forms have besides is left out: it would reach every caller", () => {
  const more = { ...turn, credentialType: "password", apiKey: "secret", username: turn.username };
  expect(parseIceServerText(JSON.stringify(more))).toEqual([turn]);
});

test.each([
  "http://stun.example.net",
  "stun.example.net:3478",
  "stun://stun.example.net",
  "turn:turn.example.net",
  '{"urls":"turn:turn.example.net","username":"caller"}',
  '{"urls":"turn:turn.example.net","username":7,"credential":8}',
  '{"urls":7}',
  '{"url":"stun:stun.example.net"}',
  "{}",
  "[7]",
  "[null]",
  "{",
  '{"urls":"stun:stun.example.net"',
  `${stun},,{]`,
])("%s is refused", (text) => {
  expect(() => parseIceServerText(text)).toThrow();
});
