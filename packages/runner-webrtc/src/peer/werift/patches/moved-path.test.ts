import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { classes, Message, methods, parseMessage } from "werift";
import { type Call, openCall } from "../../test/peer-fixture.ts";
import { silence } from "../peer-caller.ts";

/** The first value of an attribute in an SDP. */
function read(sdp: string | undefined, name: string): string {
  return sdp?.match(new RegExp(`a=${name}:(.*)\r\n`))?.[1] ?? expect.fail(`The SDP has no a=${name}.`);
}

/** Another path of the caller of this call: a socket that answers checks, and counts the audio that arrives. */
async function openPath({ caller }: Call) {
  const { localDescription, remoteDescription } = caller.connection;
  const [ours, theirs] = [localDescription?.sdp, remoteDescription?.sdp];
  const [, host = "", port = ""] = theirs?.match(/udp \d+ (127[\d.]+) (\d+)/) ?? [];
  const socket: Socket = createSocket("udp4").bind(0, "127.0.0.1");
  onTestFinished(() => void socket.close());
  await once(socket, "listening");
  const arrived = { audio: 0, responses: 0 };
  const send = (data: Uint8Array) => socket.send(data, Number(port), host);
  socket.on("message", (data) => {
    if ((data[0] ?? 0) >= 128) arrived.audio += 1;
    const message = (data[0] ?? 0) < 4 ? parseMessage(data) : undefined;
    if (message?.messageClass === classes.RESPONSE) arrived.responses += 1;
    if (message?.messageClass !== classes.REQUEST) return;
    const response = new Message(methods.BINDING, classes.RESPONSE, message.transactionId);
    response.setAttribute("XOR-MAPPED-ADDRESS", [host, Number(port)]);
    send(response.addMessageIntegrity(Buffer.from(read(ours, "ice-pwd"))).addFingerprint().bytes);
  });
  async function check(attributes: readonly string[]): Promise<void> {
    const before = arrived.responses;
    const request = new Message(methods.BINDING, classes.REQUEST)
      .setAttribute("USERNAME", `${read(theirs, "ice-ufrag")}:${read(ours, "ice-ufrag")}`)
      .setAttribute("PRIORITY", 1)
      .setAttribute("ICE-CONTROLLING", 1n << 63n);
    for (const name of attributes) request.setAttribute(name as "USE-CANDIDATE", null);
    send(request.addMessageIntegrity(Buffer.from(read(theirs, "ice-pwd"))).addFingerprint().bytes);
    await vi.waitFor(() => expect(arrived.responses).toBe(before + 1));
  }
  return { arrived, ping: () => check([]), nominate: () => check(["USE-CANDIDATE"]) };
}

/** The audio packets of ten that arrive at this path. */
async function hear({ peer }: Call, { arrived }: Awaited<ReturnType<typeof openPath>>): Promise<number> {
  const before = arrived.audio;
  for (let count = 0; count < 10; count++) {
    peer.sendAudio(silence, 960 * count);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return arrived.audio - before;
}

/** As if this time had passed. */
function passMs(ms: number): void {
  const { now } = performance;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + ms);
  onTestFinished(() => clock.mockRestore());
}

test("the bot's audio goes to the pair that the caller nominated last", async () => {
  const call = await openCall({ hostAddress: "127.0.0.1" });
  const path = await openPath(call);
  await path.ping();
  passMs(1_100);
  await path.ping();
  expect(await hear(call, path), "a check that nominates nothing").toBe(0);
  await path.nominate();
  expect(await hear(call, path)).toBeGreaterThan(0);
  await path.nominate();
  expect(await hear(call, path)).toBe(10);
});

test("a caller that nominates all its pairs at the start keeps the first one", async () => {
  const call = await openCall({ hostAddress: "127.0.0.1" });
  const path = await openPath(call);
  for (let count = 0; count < 3; count++) await path.nominate();
  expect(await hear(call, path)).toBe(0);
});

test("a call whose consent expired continues on the pair that the caller then nominates", async () => {
  const start = globalThis.setTimeout;
  const consentMs = 30_000;
  const timers = vi.spyOn(globalThis, "setTimeout");
  timers.mockImplementation(((act: () => void, ms = 0) => start(act, ms === consentMs ? 300 : ms)) as typeof start);
  onTestFinished(() => timers.mockRestore());
  const call = await openCall({ hostAddress: "127.0.0.1" });
  await vi.waitFor(() => expect(call.peer.state).toBe("failed"), { timeout: 4_000 });
  timers.mockRestore();
  const path = await openPath(call);
  await path.ping();
  passMs(1_100);
  await vi.waitFor(async () => {
    await path.nominate();
    expect(call.peer.state).toBe("connected");
  });
  expect(await hear(call, path)).toBe(10);
});
