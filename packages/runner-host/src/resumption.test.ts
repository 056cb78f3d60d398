import { once } from "node:events";
import { type CallerSocket, RunnerError, type SocketRoute } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type FakeArguments, fakePlugin } from "./test/fake-plugin.ts";
import { connect, startRunner } from "./test/fixture.ts";

/** A runner whose callers may resume. A caller that sends "reject" is rejected; everything else is echoed. */
async function openResumable() {
  const closed: (readonly [name: string | null, code: number])[] = [];
  const registered = vi.fn();
  let current: CallerSocket;
  const accept: SocketRoute["accept"] = (socket, { session, url }) => {
    const isFirst = session.state === "pending";
    const name = url.searchParams.get("name");
    if (name === "unwanted") throw new RunnerError("CALL_ENDED", "The call is over.");
    current = socket;
    if (isFirst) {
      session.run<FakeArguments>({ socket: socket.raw }, () => ({
        sampleRates: [16_000],
        frameMs: 20,
        send: () => undefined,
        close: (reason, deadline) => current.close(reason, deadline),
      }));
      session.onEnd = registered;
    }
    return {
      message(data) {
        if (String(data) === "reject") socket.reject(new RunnerError("RATE_EXCEEDED", "Too many messages."));
        else socket.send(String(data));
      },
      closed(code) {
        closed.push([name, code]);
        return "hold";
      },
    };
  };
  const finished = Promise.withResolvers<void>();
  const sockets = [{ path: "/fake", access: "caller", accept, resumes: () => true } satisfies SocketRoute];
  const host = await startRunner({
    plugins: [fakePlugin({ opened: { sockets } })],
    async bot(args) {
      const transport = await connect(args);
      await Promise.race([transport.closed, finished.promise]);
    },
  });
  const id = String((await host.post("/start", {})).body.id);
  const open = async (name: string) => {
    const socket = new WebSocket(new URL(`/fake/${id}?name=${name}`, host.runner.url));
    await once(socket, "open");
    return socket;
  };
  const echo = async (socket: WebSocket) => {
    socket.send("hello");
    return String((await once(socket, "message"))[0]);
  };
  const endings = () =>
    host.log.lines.filter(({ message }) => message === "session ended").map(({ fields }) => fields.reason);
  return { host, open, echo, closed, registered, endings, finish: finished.resolve };
}

test("a replaced socket cannot end the call, also one that was rejected", async () => {
  const { host, open, echo, closed } = await openResumable();
  await using _ = host;
  const first = await open("first");
  // It does not answer the closing handshake.
  first.pause();
  first.send("reject");
  await expect.poll(() => host.log.messages("warn")).toContain("WebSocket rejected");
  const second = await open("second");
  first.terminate();
  await expect.poll(() => closed).toEqual([["first", 1008]]);
  expect(await echo(second)).toBe("hello");
  expect(host.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
});

test("a caller that was rejected is not held, and its transport gets the code of the rejection", async () => {
  const { host, open, closed, endings } = await openResumable();
  await using _ = host;
  const first = await open("first");
  first.pause();
  first.send("reject");
  await expect.poll(() => host.log.messages("warn")).toContain("WebSocket rejected");
  first.terminate();
  await expect.poll(endings).toEqual(["rate-exceeded"]);
  expect(closed).toEqual([["first", 1008]]);
});

test("a caller that violates the protocol is not held", async () => {
  const { host, open, closed, endings } = await openResumable();
  await using _ = host;
  const first = await open("first");
  // A frame without a mask.
  (first as unknown as { readonly _socket: { write(data: Buffer): void } })._socket.write(Buffer.of(0x81, 0x01, 0x78));
  await expect.poll(endings).toEqual(["transport-failed"]);
  expect(closed).toEqual([["first", 1002]]);
});

test("a resumption that the transport rejects does not affect the call", async () => {
  const { host, open, echo } = await openResumable();
  await using _ = host;
  const first = await open("first");
  const [code] = await once(await open("unwanted"), "close");
  expect(code).toBe(1008);
  expect(await echo(first)).toBe("hello");
});

test("a session closes its current socket only, however often it was resumed", async () => {
  const { host, open, registered, finish, endings } = await openResumable();
  await using _ = host;
  await open("first");
  await expect.poll(() => registered.mock.calls.length).toBe(1); // The media layer's.
  for (const name of ["second", "third"]) await open(name);
  const last = await open("last");
  expect(registered).toHaveBeenCalledTimes(1);
  const closed = once(last, "close");
  finish();
  expect((await closed)[0]).toBe(1000);
  await expect.poll(endings).toEqual(["bot-finished"]);
});
