import { EventEmitter } from "node:events";
import { type PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { superviseClient } from "./connection.ts";
import type { Notice } from "./messages.ts";

/** A client whose calls end as the test says. */
class FakeClient extends EventEmitter {
  state = "disconnected";
  connect = vi.fn<() => Promise<unknown>>();
  startBot = vi.fn<(request?: unknown) => Promise<unknown>>();

  become(state: string): void {
    this.state = state;
    this.emit(RTVIEvent.TransportStateChanged, state);
  }

  async disconnect(): Promise<void> {
    this.become("disconnected");
  }
}

let client: FakeClient;
let told: Notice | undefined;
const media = { disconnect: vi.fn(async () => undefined) };
const timedOut = (seconds: number): Notice => ({ tone: "error", text: `not within ${seconds} s` });

beforeEach(() => {
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.clearAllMocks();
  client = new FakeClient();
  told = undefined;
});

/** Supervises the client from now on: its calls are the real ones wrapped. */
function supervise(): void {
  const console = { connectParams: (reply: unknown) => reply, timedOut };
  superviseClient(client as unknown as PipecatClient, console, media, (notice) => {
    told = notice;
  });
}

test.each([
  ["the runner's words", { detail: "Too many callers." }, "Too many callers."],
  ["the status, when there are none", "<h1>", "WebRTC offer rejected with status 429."],
])("a refused offer is told in %s, and the microphone is closed", async (_what, body, text) => {
  const cause = new Response(typeof body === "string" ? body : JSON.stringify(body), { status: 429 });
  client.connect.mockRejectedValue(new Error("WebRTC offer rejected with status 429", { cause }));
  supervise();
  client.become("connecting");
  void client.connect();
  await vi.waitFor(() => expect(told?.text).toContain(text));
  await vi.waitFor(() => expect(client.state).toBe("disconnected"));
  expect(media.disconnect).toHaveBeenCalled();
});

test("a connection that takes too long is told as that, not as what comes of giving it up", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  client.connect.mockReturnValue(
    new Promise((_resolve, reject) => {
      client.disconnect = async () => {
        client.become("disconnecting");
        reject(new Error("Unable to connect to transport"));
        client.become("disconnected");
      };
    }),
  );
  supervise();
  client.become("connecting");
  void client.connect();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(client.state).toBe("disconnected");
  expect(told).toEqual(timedOut(15));
});

test("a call that could not be connected again is told as lost, and ended once the transport has closed it", async () => {
  supervise();
  client.become("ready");
  client.become("error");
  expect(client.state).toBe("error");
  await vi.waitFor(() => expect(told?.text).toContain("was lost"));
  expect(client.state).toBe("disconnected");
  expect(media.disconnect).toHaveBeenCalled();
});

test("a connection that never came to be is told once, by whoever tried it", () => {
  supervise();
  client.become("connecting");
  client.become("error");
  expect(told).toBe(undefined);
});

test("a client that becomes ready after it was disconnected is disconnected again", async () => {
  supervise();
  client.become("connecting");
  client.become("disconnected");
  client.become("ready");
  await vi.waitFor(() => expect(client.state).toBe("disconnected"));
});

test("a bot that leaves is told without an alarm", () => {
  supervise();
  client.become("ready");
  client.emit(RTVIEvent.BotDisconnected);
  expect(told).toMatchObject({ tone: "info", text: expect.stringMatching(/^The bot's side ended the call\./) });
});

test("a runner that wants its key has the person asked for it", async () => {
  client.startBot.mockRejectedValue(Object.assign(new Error("Send the key."), { status: 401 }));
  supervise();
  void client.startBot({ endpoint: "https://example.com/start" });
  await vi.waitFor(() => expect(told).toMatchObject({ tone: "error", asksKey: true }));
});

test("the key goes with the request that starts a session", async () => {
  vi.stubGlobal("sessionStorage", { getItem: () => "my-key" });
  const { startBot } = client;
  startBot.mockResolvedValue({});
  supervise();
  await client.startBot({ endpoint: "https://example.com/start" });
  expect(startBot).toHaveBeenCalledWith({
    endpoint: "https://example.com/start",
    headers: new Headers({ Authorization: "Bearer my-key" }),
  });
});
