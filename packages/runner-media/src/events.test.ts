import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, test } from "vitest";
import { catchUncaught } from "./test/catch-uncaught.ts";
import { createFakeCall } from "./test/fake-call.ts";
import { settle } from "./test/fake-clock.ts";

describe("events", () => {
  test("that come before the first listener are held and delivered in order, before newer ones", async () => {
    const { transport, caller } = createFakeCall();
    caller.message("a");
    caller.message("b", "Ada");
    const heard: unknown[] = [];
    transport.on("appMessage", (...args) => heard.push(args));
    caller.message("c");
    expect(heard).toEqual([]); // not before `on` has returned what removes the listener
    await settle();
    caller.message("d");
    expect(heard).toEqual([["a"], ["b", "Ada"], ["c"], ["d"]]);
  });

  test("of the transport's own are held and delivered like the others", async () => {
    const { transport, caller } = createFakeCall();
    caller.event("landed", "Ghent", 7);
    const heard: unknown[] = [];
    const own = transport as unknown as { on(event: string, listener: (...args: unknown[]) => void): void };
    own.on("landed", (...args) => heard.push(args));
    await settle();
    caller.event("landed", "Bruges", 9);
    await transport.close();
    caller.event("landed", "Paris", 11);
    expect(heard).toEqual([
      ["Ghent", 7],
      ["Bruges", 9],
    ]);
  });

  test("reach every listener, the held ones only the first", async () => {
    const { transport, caller } = createFakeCall();
    caller.dtmf("1");
    const heard: string[] = [];
    transport.on("dtmf", (digit) => heard.push(`a${digit}`));
    const off = transport.on("dtmf", (digit) => heard.push(`b${digit}`));
    await settle();
    caller.dtmf("2");
    off();
    off();
    caller.dtmf("3");
    expect(heard).toEqual(["a1", "a2", "b2", "a3"]);
  });

  test("are held up to 50 of each name; what is dropped is counted", async () => {
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

  test("reach a tap, the held ones too, and stay held for the first listener", async () => {
    const { transport, caller } = createFakeCall();
    caller.message("a");
    const tapped: unknown[] = [];
    const heard: unknown[] = [];
    transport.on("appMessage", (message) => tapped.push(message), { tap: true });
    caller.message("b");
    await settle();
    caller.message("c");
    expect(tapped).toEqual(["a", "b", "c"]);
    transport.on("appMessage", (message) => heard.push(message));
    await settle();
    caller.message("d");
    expect(heard).toEqual(["a", "b", "c", "d"]);
    expect(tapped).toEqual(["a", "b", "c", "d"]);
  });

  test("stay held when the first listener goes before it was called", async () => {
    const { transport, caller } = createFakeCall();
    caller.message("a");
    const heard: unknown[] = [];
    transport.on("appMessage", () => heard.push("gone"))();
    caller.message("b");
    transport.on("appMessage", (message) => heard.push(message));
    await settle();
    expect(heard).toEqual(["a", "b"]);
  });

  test("a listener that throws keeps no other from being called, and its error is its own scope's", async () => {
    const { transport, caller } = createFakeCall();
    const storage = new AsyncLocalStorage<string>();
    const heard: unknown[] = [];
    const uncaught: unknown[] = [];
    storage.run("culprit", () =>
      transport.on("appMessage", () => {
        throw new Error("listener");
      }),
    );
    transport.on("appMessage", (message) => heard.push(message));
    await catchUncaught(
      (error) => uncaught.push([error.message, storage.getStore()]),
      async () => {
        storage.run("innocent", () => caller.message("a"));
        await settle();
      },
    );
    expect(heard).toEqual(["a"]);
    expect(uncaught).toEqual([["listener", "culprit"]]);
  });

  test("run in the scope the listener was registered in, streams in that of the transport", async () => {
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

  test("come once for a caller who connects or leaves twice, and not at all after the end", async () => {
    const { transport, caller } = createFakeCall();
    const heard: unknown[] = [];
    transport.on("clientConnected", () => heard.push("connected"));
    transport.on("clientDisconnected", (reason) => heard.push(reason));
    transport.on("appMessage", () => heard.push("message"));
    transport.on("error", () => heard.push("error"));
    transport.on("dtmf", () => heard.push("dtmf"));
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
    expect(heard).toEqual(["connected", "caller-left"]);
  });

  test("that the wire tells while it is being opened are not lost", async () => {
    const { transport } = createFakeCall({
      connected: false,
      onOpen(caller) {
        caller.connected();
        caller.message("early");
        caller.error(new Error("early"));
      },
    });
    const heard: unknown[] = [];
    transport.on("clientConnected", () => heard.push("connected"));
    transport.on("appMessage", (message) => heard.push(message));
    transport.on("error", (error) => heard.push(error.message));
    await settle();
    expect(heard).toEqual(["connected", "early", "early"]);
  });
});
