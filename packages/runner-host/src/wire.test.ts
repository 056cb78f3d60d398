import { once } from "node:events";
import { request } from "node:http";
import { expect, test } from "vitest";
import { startRunner } from "./test/fixture.ts";
import { createWire, type WireEvent } from "./wire.ts";

const session = { id: "5f", owner: "fake", transport: "fake" };

function observed() {
  const events: WireEvent[] = [];
  const errors: string[] = [];
  const log = { error: (_: object, message: string) => void errors.push(message) };
  const observer = { observe: (_: unknown, event: WireEvent) => void events.push(event) };
  return { events, errors, wire: createWire(observer, log as never) };
}

test("an observer that throws is logged once, and calls continue", async () => {
  const observe = () => {
    throw new Error("the observer's fault");
  };
  await using host = await startRunner({ wire: { observe } });
  const { id, socket } = await host.call();
  socket.send("hello");
  await expect.poll(() => host.runner.sessions.find(id)?.state).toBe("active");
  expect(host.log.messages("error")).toEqual(["capture of messages failed; calls continue"]);
  socket.close();
});

test("a request is reported without the host that its client puts in front of the path", async () => {
  const urls: string[] = [];
  const observe = (_: unknown, event: WireEvent) => void (event.type === "http" && urls.push(event.url));
  await using host = await startRunner({ wire: { observe } });
  const { hostname, port } = host.runner.url;
  const sent = request({ hostname, port, method: "POST", path: "http://other.example/start?x=1", agent: false }).end();
  const [response] = await once(sent, "response");
  response.resume();
  await once(response, "end");
  expect([response.statusCode, urls]).toEqual([200, ["/start?x=1"]]);
});

test("the body of the caller is reported when the bot starts, the runner's default body is not", async () => {
  const bodies: unknown[] = [];
  const observe = (_: unknown, event: WireEvent) => {
    if (event.type === "state" && event.state === "active") bodies.push(event.body);
  };
  const got: unknown[] = [];
  await using host = await startRunner({ wire: { observe }, body: "default", bot: ({ body }) => void got.push(body) });
  await host.call({ plan: "gold" });
  await host.call();
  await expect.poll(() => got).toEqual([{ plan: "gold" }, "default"]);
  expect(bodies).toEqual([{ plan: "gold" }, undefined]);
});

test("before its session is known, a socket holds at most 100 events and 256 KiB", () => {
  const { events, wire } = observed();
  const [large, small] = [wire, wire].map((each) => each.openSocket(new URL("ws://host/ws"), {} as never));
  for (let count = 0; count < 10; count++) large?.received(Buffer.alloc(65_536), true);
  large?.bind(session as never);
  expect(events.map(({ type }) => type)).toEqual(["open", "message", "message", "message", "message"]);
  events.length = 0;
  for (let count = 0; count < 200; count++) small?.received(Buffer.from("x"), false);
  small?.bind(session as never);
  expect(events).toHaveLength(100);
});

test("another observer of the sessions gets messages and keys too", () => {
  const { events, wire } = observed();
  const others: unknown[] = [];
  const observer = wire.sessionObserver({
    message: (_, from, message) => void others.push([from, message]),
    key: (_, key) => void others.push(key),
  });
  observer.message?.(session as never, "bot", { hello: 1 });
  observer.key?.(session as never, "5");
  expect(others).toEqual([["bot", { hello: 1 }], "5"]);
  expect(events.map(({ type }) => type)).toEqual(["app", "key"]);
});
