import type { RunnerContext, TransportPlugin } from "@pipecat-ts/runner-core";
import { createGateway, createInProcessStarter, type Fleet, type Gateway } from "@pipecat-ts/runner-gateway";
import { createRunner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import { listeningBot } from "../../../runner-gateway/src/test/fixture.ts";
import { fakePlugin } from "../../../runner-host/src/test/fake-plugin.ts";
import type { Directory } from "../directory.ts";
import { createFleet } from "../fleet.ts";

export const secret = "a secret with more than 32 characters";

/** A node in this process. `await using` closes it. */
export interface NodeFixture extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly fleet: Fleet;
  readonly log: RecordingLogger;
  /** How often an operator asked it to drain. */
  readonly drains: () => number;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Starts a session with this body, and returns its id. Throws with status and code when it is rejected. */
  start(body?: object): Promise<string>;
}

/** Like a carrier: `callId` in the body of a start names a call, also one that has a session. */
export function carrierPlugin(): TransportPlugin {
  return fakePlugin({
    open: (runner: RunnerContext) => {
      const fake = fakePlugin().open(runner, undefined) as Awaited<ReturnType<TransportPlugin["open"]>>;
      return {
        ...fake,
        start({ body, request }) {
          const { callId, sessionId } = body as { readonly callId?: string; readonly sessionId?: string };
          const known = callId === undefined ? undefined : runner.findSession(callId);
          const session = known ?? runner.createSession({ body: undefined, ...(sessionId && { id: sessionId }) });
          if (!known && callId !== undefined) session.alias(callId);
          return { sessionId: session.id, body: { id: session.id, client: request.socket.remoteAddress } };
        },
      };
    },
  });
}

export async function startNode(
  directory: Directory,
  options: Partial<Omit<RunnerOptions, "logger">> = {},
  more: { readonly secret?: string; readonly listen?: string; readonly address?: string } = {},
): Promise<NodeFixture> {
  const log = createRecordingLogger();
  const runner = { host: "127.0.0.1", port: 0, env: {}, logger: log, plugins: [carrierPlugin()], ...options };
  let drains = 0;
  const fleet = createFleet({
    directory,
    ...{ secret, listen: "127.0.0.1:0", ...more },
    version: "1.2.3",
    logger: log,
    onDrain: () => void drains++,
  });
  const { maxSessions = 40 } = options;
  const gateway = createGateway({
    runner,
    fleet,
    isolation: {
      workerSessions: maxSessions,
      ...{ warmWorkers: 1, maxWorkers: 1, workerMemory: undefined, workerCalls: undefined },
    },
    workers: createInProcessStarter(async (given) => {
      return { runner: createRunner({ ...runner, bot: listeningBot, ...given }), logger: log };
    }),
  });
  await gateway.listen();

  return {
    gateway,
    fleet,
    log,
    drains: () => drains,
    fetch: (path, init) => fetch(new URL(path, gateway.url), init),
    async start(body = {}) {
      const headers = { "content-type": "application/json" };
      const response = await fetch(new URL("/start", gateway.url), {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      const reply = (await response.json()) as { readonly id?: string; readonly code?: string };
      if (reply.id === undefined) throw new Error(`${response.status} ${reply.code}`);
      return reply.id;
    },
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}
