import { RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import { type Directory, type NodeReport, parseNodeReport } from "@pipecat-ts/runner-fleet";
import { createClient } from "@redis/client";

/**
 * How long an answer may take, in ms. The client has no limit of its own for a command that was sent: with a server that hangs, it
 * waits as long as the server does.
 */
const answerMs = 1_000;
/**
 * A connection that got no answer for this long is replaced, in ms. The machine of the server may be gone: the system would send again
 * for a quarter of an hour.
 */
const silentMs = 5_000;
/** The longest time between two attempts to connect, in ms. */
const reconnectMs = 1_000;
/** Commands that wait for a server that hangs. */
const maxQueued = 10_000;
/** Nodes of a fleet. */
const maxNodes = 1_000;

/** All keys begin like this, for the access rules of the server: `~pipecat:*`. */
const nodesKey = "pipecat:nodes";
const nodeKey = (node: string) => `pipecat:node:${node}`;
const claimKey = (key: string) => `pipecat:claim:${key}`;

/** Deletes a claim if it belongs to this node. */
const releaseScript = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0';

/**
 * A directory in Redis or Valkey. `url`: `redis://user:password@host:6379/0`, or `rediss://` for TLS. Connects in the background, and
 * again whenever the connection is lost. Throws OPTION_INVALID for another URL.
 */
export function createRedisDirectory(url: string): Directory {
  const href = checked(url);
  let lastError: unknown;
  let connecting: Promise<unknown>;
  let client = open();
  /** When the server answered last, or the connection was replaced. */
  let answeredAtMs = performance.now();
  let isClosed = false;

  function open() {
    const opened = createClient({
      url: href,
      // A command fails at once while the server cannot be reached.
      disableOfflineQueue: true,
      commandsQueueMaxLength: maxQueued,
      socket: { connectTimeout: answerMs, reconnectStrategy: (attempts) => Math.min(50 * 2 ** attempts, reconnectMs) },
    });
    opened.on("error", (error: unknown) => {
      lastError = error;
    });
    opened.on("ready", () => {
      lastError = undefined;
    });
    // The client does not end an attempt to connect by itself.
    opened.on("connect", () => {
      if (isClosed || opened !== client) opened.destroy();
    });
    connecting = opened.connect().catch((error: unknown) => {
      lastError = error;
    });
    return opened;
  }

  /** The server did not answer. */
  function failed(cause: unknown): RunnerError {
    if (!isClosed && performance.now() - answeredAtMs > silentMs) {
      answeredAtMs = performance.now();
      client.destroy();
      client = open();
    }
    return unreachable(cause);
  }

  async function answer<Value>(ask: () => Promise<Value>): Promise<Value> {
    // The first command, right after the start.
    if (!client.isReady) await withTimeout(connecting, answerMs);
    if (!client.isReady) throw failed(lastError);
    const asked = ask();
    if (!(await withTimeout(asked, answerMs))) throw failed(new Error("No answer within 1 s."));
    answeredAtMs = performance.now();
    return await asked;
  }

  async function read(nodes: readonly string[]): Promise<readonly NodeReport[]> {
    if (nodes.length === 0) return [];
    const texts = await client.mGet(nodes.slice(0, maxNodes).map(nodeKey));
    const gone = nodes.filter((_, index) => texts[index] === null);
    if (gone.length > 0) await client.sRem(nodesKey, gone);
    return texts.flatMap((text) => (text === null ? [] : (parseNodeReport(text) ?? [])));
  }

  return {
    beat: (report, leaseMs) =>
      answer(async () => {
        const [nodes] = await client
          .multi()
          .sMembers(nodesKey)
          .set(nodeKey(report.id), JSON.stringify(report), { expiration: { type: "PX", value: leaseMs } })
          .sAdd(nodesKey, report.id)
          .exec<"typed">();
        return await read(nodes);
      }),
    list: () => answer(async () => await read(await client.sMembers(nodesKey))),
    leave: (node) =>
      answer(async () => void (await client.multi().del(nodeKey(node)).sRem(nodesKey, node).exec<"typed">())),
    claim: (key, node, ttlMs) =>
      answer(async () => {
        const [, first] = await client
          .multi()
          .set(claimKey(key), node, { condition: "NX", expiration: { type: "PX", value: ttlMs } })
          .get(claimKey(key))
          .exec<"typed">();
        return first ?? node;
      }),
    renew: (keys, node, ttlMs) =>
      answer(async () => {
        const expiration = { type: "PX", value: ttlMs } as const;
        await Promise.all(keys.map((key) => client.set(claimKey(key), node, { expiration })));
      }),
    find: (keys) => answer(async () => (await client.mGet(keys.map(claimKey))).map((node) => node ?? undefined)),
    release: (key, node) =>
      answer(async () => void (await client.eval(releaseScript, { keys: [claimKey(key)], arguments: [node] }))),
    async close() {
      isClosed = true;
      client.destroy();
      await connecting;
    },
  };
}

function checked(url: string): string {
  const parsed = URL.parse(url.replace(/^valkey/, "redis"));
  if (parsed && /^rediss?:$/.test(parsed.protocol)) return parsed.href;
  // The text may contain a password, so it is not repeated.
  throw new RunnerError("OPTION_INVALID", "--fleet is not the address of a Redis server.", {
    fix: "Use redis://host:6379, or rediss://host:6379 for TLS.",
  });
}

function unreachable(cause: unknown): RunnerError {
  const reason = cause instanceof Error ? cause.message : "not connected";
  return new RunnerError("DIRECTORY_UNREACHABLE", `The directory of the fleet does not answer: ${reason}`, {
    fix: "Check the address in --fleet and its server.",
    cause,
  });
}
