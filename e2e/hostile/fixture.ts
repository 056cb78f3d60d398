import { afterAll, afterEach, beforeAll, expect, onTestFinished } from "vitest";
import { connectCaller, type WebSocketCaller } from "../../packages/runner-websocket/src/caller.ts";
import { type Bystander, startBystander } from "../server/callers.ts";
import { expectNoGrowth } from "../server/expectations.ts";
import type { Holdings } from "../server/messages.ts";
import { type Server, type ServerOptions, startServer } from "../server/server.ts";

/** The server that one file's tests attack. */
export interface Fixture {
  readonly server: Server;
  /** What the server held before the test, with the bystander's call. */
  readonly before: Holdings;
  /** Connects a caller without a start request. Drops the caller after the test. */
  call(): Promise<WebSocketCaller>;
}

/**
 * Starts a server with one call, the bystander's, for the tests of a file. After each test the bystander must have heard the
 * echo throughout, all other sessions must be over with their resources released, and no error may be logged.
 */
export function useServer(options: ServerOptions = {}): Fixture {
  let server: Server;
  let bystander: Bystander;
  let atFirst: Holdings;
  let before: Holdings;

  beforeAll(async () => {
    server = await startServer(options);
    const caller = options.transports?.[0] === "webrtc" ? server.callByWebRTC() : server.call();
    bystander = await startBystander(await caller);
    atFirst = await server.ask("holdings");
    before = atFirst;
  });
  afterEach(async () => {
    await bystander.expectEcho();
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

/** Random numbers from a seed: a test that fails once fails again. */
export interface Random {
  /** An integer from 0 to `below` − 1. */
  number(below: number): number;
  pick<T>(of: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** The mulberry32 generator. */
export function createRandom(seed: number): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const number = (below: number) => next() % below;
  return {
    number,
    pick: (of) => of[number(of.length)] as (typeof of)[number],
    bytes: (length) => Buffer.from(Array.from({ length }, () => number(256))),
  };
}
