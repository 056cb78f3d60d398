import { AsyncLocalStorage } from "node:async_hooks";
import type { Logger } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import { createDropCounters } from "./counters.ts";
import { createCallEvents } from "./events.ts";
import { catchUncaught } from "./test/catch-uncaught.ts";
import { createFakeCall } from "./test/fake-call.ts";
import { settle } from "./test/fake-clock.ts";

describe("events", () => {
  test("before the first listener are buffered and delivered in order, before newer ones", async () => {
    const { transport, caller } = createFakeCall();
    caller.message("a");
    caller.message("b", "Ada");
    const received: unknown[] = [];
    transport.on("appMessage", (...args) => received.push(args));
    caller.message("c");
    expect(received).toEqual([]); // not before `on` has returned the function that removes the listener
    await settle();
    caller.message("d");
    expect(received).toEqual([["a"], ["b", "Ada"], ["c"], ["d"]]);
  });

  test("that wait for work before them are emitted also if it throws, and later ones too", () => {
    const logger = { warn: () => undefined } as Partial<Logger> as Logger;
    const events = createCallEvents(createDropCounters(logger), logger);
    const received: string[] = [];
    for (const event of ["botInterrupted", "botStoppedSpeaking"] as const) events.on(event, () => received.push(event));
    const work = () => {
      events.emit("botStoppedSpeaking");
      throw new Error("fails on purpose");
    };
    expect(() => events.emitBefore("botInterrupted", work)).toThrow("on purpose");
    events.emit("botStoppedSpeaking");
    expect(received).toEqual(["botInterrupted", "botStoppedSpeaking", "botStoppedSpeaking"]);
  });

  test("of one transport only are buffered and delivered like the others", async () => {
    const { transport, caller } = createFakeCall();
    caller.event("landed", "Ghent", 7);
    const received: unknown[] = [];
    const own = transport as unknown as { on(event: string, listener: (...args: unknown[]) => void): void };
    own.on("landed", (...args) => received.push(args));
    await settle();
    caller.event("landed", "Bruges", 9);
    await transport.close();
    caller.event("landed", "Paris", 11);
    expect(received).toEqual([
      ["Ghent", 7],
      ["Bruges", 9],
    ]);
  });

  test("reach every listener, and buffered ones only the first", async () => {
    const { transport, caller } = createFakeCall();
    caller.dtmf("1");
    const received: string[] = [];
    transport.on("dtmf", (digit) => received.push(`a${digit}`));
    const off = transport.on("dtmf", (digit) => received.push(`b${digit}`));
    await settle();
    caller.dtmf("2");
    off();
    off();
    caller.dtmf("3");
    expect(received).toEqual(["a1", "a2", "b2", "a3"]);
  });

  test("are buffered up to about 1 MiB of messages, and other events are still buffered", async () => {
    const { transport, caller } = createFakeCall();
    for (let index = 0; index < 10; index++) caller.message(`${index}${"x".repeat(300_000)}`);
    caller.message("small");
    caller.dtmf("1");
    expect(transport.counters.eventsDropped).toBe(8);
    const received: string[] = [];
    transport.on("appMessage", (message) => received.push(String(message).slice(0, 1)));
    transport.on("dtmf", (digit) => received.push(`key ${digit}`));
    await settle();
    expect(received).toEqual(["0", "1", "2", "key 1"]);
  });

  test("are buffered up to 50 of each name, and dropped ones are counted", async () => {
    const { transport, caller } = createFakeCall();
    for (let index = 0; index < 60; index++) caller.message(index);
    caller.dtmf("1");
    const messages: unknown[] = [];
    const digits: unknown[] = [];
    transport.on("appMessage", (message) => messages.push(message));
    transport.on("dtmf", (digit) => digits.push(digit));
    await settle();
    expect(messages).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(digits).toEqual(["1"]);
    expect(transport.counters.eventsDropped).toBe(10);
  });

  test("reach a tap, also buffered ones, which stay buffered for the first listener", async () => {
    const { transport, caller } = createFakeCall();
    caller.message("a");
    const tapped: unknown[] = [];
    const received: unknown[] = [];
    transport.on("appMessage", (message) => tapped.push(message), { tap: true });
    caller.message("b");
    await settle();
    caller.message("c");
    expect(tapped).toEqual(["a", "b", "c"]);
    transport.on("appMessage", (message) => received.push(message));
    await settle();
    caller.message("d");
    expect(received).toEqual(["a", "b", "c", "d"]);
    expect(tapped).toEqual(["a", "b", "c", "d"]);
  });

  test("stay buffered when the first listener is removed before it was called", async () => {
    const { transport, caller } = createFakeCall();
    caller.message("a");
    const received: unknown[] = [];
    transport.on("appMessage", () => received.push("gone"))();
    caller.message("b");
    transport.on("appMessage", (message) => received.push(message));
    await settle();
    expect(received).toEqual(["a", "b"]);
  });

  test("reach all listeners when one throws, and the exception is uncaught in that listener's scope", async () => {
    const { transport, caller } = createFakeCall();
    const storage = new AsyncLocalStorage<string>();
    const received: unknown[] = [];
    const uncaught: unknown[] = [];
    storage.run("culprit", () =>
      transport.on("appMessage", () => {
        throw new Error("listener");
      }),
    );
    transport.on("appMessage", (message) => received.push(message));
    await catchUncaught(
      (error) => uncaught.push([error.message, storage.getStore()]),
      async () => {
        storage.run("innocent", () => caller.message("a"));
        await settle();
      },
    );
    expect(received).toEqual(["a"]);
    expect(uncaught).toEqual([["listener", "culprit"]]);
  });

  test("are delivered in the scope in which the listener was registered, and streams run in the transport's scope", async () => {
    const storage = new AsyncLocalStorage<string>();
    const { transport, caller } = storage.run("bot", () => createFakeCall());
    const scopes: unknown[] = [];
    storage.run("listener", () => transport.on("dtmf", () => scopes.push(storage.getStore())));
    const source = storage.run("bot", () =>
      transport.input.pipeThrough(
        new TransformStream({
          transform: () => void scopes.push(storage.getStore()),
        }),
      ),
    );
    void source.pipeTo(new WritableStream());
    await settle();
    storage.run("wire", () => {
      caller.dtmf("1");
      caller.audio({ samples: new Int16Array(320), sampleRate: 16_000, channels: 1 });
    });
    await settle();
    expect(scopes).toEqual(["listener", "bot"]);
  });

  test("are emitted once for a caller who connects or leaves twice, and never after the end", async () => {
    const { transport, caller } = createFakeCall();
    const received: unknown[] = [];
    transport.on("clientConnected", () => received.push("connected"));
    transport.on("clientDisconnected", (reason) => received.push(reason));
    transport.on("appMessage", () => received.push("message"));
    transport.on("error", () => received.push("error"));
    transport.on("dtmf", () => received.push("dtmf"));
    await settle();
    caller.connected();
    caller.left();
    caller.left("transport-failed");
    caller.connected();
    caller.message("late");
    caller.dtmf("1");
    caller.error(new Error("late"));
    caller.played("1");
    caller.audio({ samples: new Int16Array(320), sampleRate: 16_000, channels: 1 });
    await settle();
    expect(received).toEqual(["connected", "caller-left"]);
  });

  test("that the wire reports while it opens are buffered", async () => {
    const { transport } = createFakeCall({
      connected: false,
      onOpen(caller) {
        caller.connected();
        caller.message("early");
        caller.error(new Error("early"));
      },
    });
    const received: unknown[] = [];
    transport.on("clientConnected", () => received.push("connected"));
    transport.on("appMessage", (message) => received.push(message));
    transport.on("error", (error) => received.push(error.message));
    await settle();
    expect(received).toEqual(["connected", "early", "early"]);
  });

  test("with 21 listeners are logged once, with the code that registered the 21st", () => {
    const { transport, warnings } = createFakeCall();
    for (let count = 0; count < 20; count++) transport.on("dtmf", () => undefined)();
    for (let count = 0; count < 20; count++) transport.on("dtmf", () => undefined);
    expect(warnings).toEqual([]);
    for (let count = 0; count < 5; count++) transport.on("dtmf", () => undefined);
    expect(warnings).toEqual([expect.stringMatching(/^many listeners of one event/)]);
  });
});
