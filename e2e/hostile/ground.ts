import { afterAll, afterEach, beforeAll, expect, onTestFinished } from "vitest";
import { connectCaller, type WebSocketCaller } from "../../packages/runner-websocket/src/test/fake-caller.ts";
import { type Bystander, startBystander } from "../server/bystander.ts";
import { expectNoGrowth } from "../server/growth.ts";
import type { Holdings } from "../server/questions.ts";
import { type Server, type ServerOptions, startServer } from "../server/server-process.ts";

/** Where one file's attacks take place. */
export interface Ground {
  readonly server: Server;
  /** What the server held before the test, with the one call in it. */
  readonly before: Holdings;
  /** Has somebody call in without a start request, for as long as the test runs at most. */
  call(): Promise<WebSocketCaller>;
}

/**
 * Call once in a test file: starts a server, in which somebody is in a call. After each test they must have heard their voice
 * all along, and still hear it; every other session must be over, whatever was opened for it closed, and no error logged.
 */
export function useGround(options: ServerOptions = {}): Ground {
  let server: Server;
  let bystander: Bystander;
  let atFirst: Holdings;
  let before: Holdings;

  beforeAll(async () => {
    server = await startServer(options);
    const caller = options.transport === "webrtc" ? server.callByWebRTC() : server.call();
    bystander = await startBystander(await caller);
    atFirst = await server.ask("holdings");
    before = atFirst;
  });
  afterEach(async () => {
    await bystander.expectVoice();
    await server.ask("endPending");
    before = await expectNoGrowth(server, atFirst);
    expect(await server.ask("counts")).toEqual({ pending: 0, active: 1 });
    expect(server.takeLog().filter(({ level }) => level >= 50)).toEqual([]);
  });
  afterAll(async () => {
    await bystander?.hangUp();
    await server?.[Symbol.asyncDispose]();
  });

  return {
    get server() {
      return server;
    },
    get before() {
      return before;
    },
    async call() {
      const caller = await connectCaller(`ws://127.0.0.1:${server.port}/ws-client`);
      onTestFinished(() => caller.drop());
      return caller;
    },
  };
}
