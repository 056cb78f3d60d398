import { EventEmitter } from "node:events";
import { type PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { superviseClient } from "./connection.ts";
import type { Notice } from "./notices.ts";

/** A client whose state and calls the test controls. */
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
let notice: Notice | undefined;
const media = { disconnect: vi.fn(async () => undefined) };
const timedOut = (seconds: number): Notice => ({ tone: "error", text: `not within ${seconds} s` });

beforeEach(() => {
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.clearAllMocks();
  client = new FakeClient();
  notice = undefined;
});

function supervise(): void {
  const console = { connectParams: (reply: unknown) => reply, timedOut };
  superviseClient(client as unknown as PipecatClient, console, media, (latest) => {
    notice = latest;
  });
}

test.each([
  ["the runner's reason", { detail: "Too many callers." }, "Too many callers."],
  ["the status, if the reason is missing", "<h1>", "WebRTC offer rejected with status 429."],
])("a rejected offer shows %s, and the microphone is closed", async (_, body, text) => {
  const cause = new Response(typeof body === "string" ? body : JSON.stringify(body), { status: 429 });
  client.connect.mockRejectedValue(new Error("WebRTC offer rejected with status 429", { cause }));
  supervise();
  client.become("connecting");
  void client.connect();
  await vi.waitFor(() => expect(notice?.text).toContain(text));
  await vi.waitFor(() => expect(client.state).toBe("disconnected"));
  expect(media.disconnect).toHaveBeenCalled();
});

test("a connection timeout is reported as such, not as the error that the cancellation causes", async () => {
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
  expect(notice).toEqual(timedOut(15));
});

test("a call that cannot reconnect is reported as lost, and ends after the transport has closed it", async () => {
  supervise();
  client.become("ready");
  client.become("error");
  expect(client.state).toBe("error");
  await vi.waitFor(() => expect(notice?.text).toContain("was lost"));
  expect(client.state).toBe("disconnected");
  expect(media.disconnect).toHaveBeenCalled();
});

test("a failed first connection is reported once, by connect", () => {
  supervise();
  client.become("connecting");
  client.become("error");
  expect(notice).toBe(undefined);
});

test("a client that becomes ready after it was disconnected is disconnected again", async () => {
  supervise();
  client.become("connecting");
  client.become("disconnected");
  client.become("ready");
  await vi.waitFor(() => expect(client.state).toBe("disconnected"));
});

test("a bot that leaves gives an info notice", () => {
  supervise();
  client.become("ready");
  client.emit(RTVIEvent.BotDisconnected);
  expect(notice).toMatchObject({
    tone: "info",
    text: expect.stringMatching(/^The bot or the runner ended the call\./),
  });
});

test("a runner that requires an API key makes the notice ask for it", async () => {
  client.startBot.mockRejectedValue(Object.assign(new Error("Send the key."), { status: 401 }));
  supervise();
  void client.startBot({ endpoint: "https://example.com/start" });
  await vi.waitFor(() => expect(notice).toMatchObject({ tone: "error", asksKey: true }));
});

test("the API key is sent with the start request", async () => {
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
