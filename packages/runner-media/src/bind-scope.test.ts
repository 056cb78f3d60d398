import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { bindScope } from "./bind-scope.ts";
import { letIgnore } from "./ignorable.ts";
import { catchUncaught } from "./test/catch-uncaught.ts";

test("an exception in a bound callback is uncaught in its own scope, and later connections do not run in that scope", async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const note = (what: string) => seen.push([what, storage.getStore()]);
  const failing = storage.run("callback scope", () =>
    bindScope((value: number) => {
      note(`callback ${value}`);
      throw new Error("on purpose");
    }),
  );
  const server = createServer((socket) => {
    socket.on("data", (data) => {
      note(String(data));
      // From a microtask, like events that were buffered for a listener.
      if (String(data) === "first") queueMicrotask(() => failing(7));
      socket.end("received");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const send = async (text: string) => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1", () => socket.write(text));
    socket.resume();
    await once(socket, "close");
  };

  await catchUncaught(
    (error) => note(error.message),
    async () => {
      await send("first");
      await send("second");
    },
  );
  server.close();
  expect(seen).toEqual([
    ["first", undefined],
    ["callback 7", "callback scope"],
    ["on purpose", "callback scope"],
    ["second", undefined],
  ]);
});

test("a callback may return a promise whose rejection a bot may ignore", async () => {
  const errors: unknown[] = [];
  bindScope(
    () => letIgnore(Promise.reject(new Error("not sent"))),
    (error) => void errors.push(error),
  )();
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors).toEqual([]);
});

test("the rejection of an async callback goes to onError, in the callback's scope", async () => {
  const storage = new AsyncLocalStorage<string>();
  const errors: unknown[] = [];
  const callback = async () => {
    throw new Error("rejected");
  };
  const onError = (error: unknown) => errors.push([error, storage.getStore()]);
  storage.run("bound", () => bindScope(callback, onError))();
  await expect.poll(() => errors).toEqual([[new Error("rejected"), "bound"]]);
});
