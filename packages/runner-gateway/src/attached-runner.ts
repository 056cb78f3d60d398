import { AsyncLocalStorage } from "node:async_hooks";
import { chmod } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Logger } from "@pipecat-ts/runner-core";
import type { Runner, RunnerOptions } from "@pipecat-ts/runner-host";
import { clientHeader, rejectedHeader } from "./headers.ts";
import type { OpenMessage } from "./messages.ts";
import { createOwnerIds } from "./owner-id.ts";
import type { WorkerEvents } from "./worker-process.ts";

/** The options of a worker's runner that the gateway decides. */
export type WorkerRunnerOptions = Required<
  Pick<RunnerOptions, "sessionIds" | "pendingTakesPlace" | "takePermit" | "observer" | "maxSessions">
>;

/** What the program of a worker creates. */
export interface WorkerRunner {
  readonly runner: Runner;
  readonly logger: Logger;
  /** JSON for the program of the gateway, such as the transports that could not be loaded. */
  readonly notes?: unknown;
}

/** Creates the runner of a worker. */
export type CreateWorkerRunner = (options: WorkerRunnerOptions) => Promise<WorkerRunner>;

/** Opens a runner on the Unix socket that the gateway chose. `onReport` gets what its sessions do. */
export async function attachRunner(
  { owner, maxSessions, path, url }: OpenMessage,
  create: CreateWorkerRunner,
  { onReport, takePermit }: Pick<WorkerEvents, "onReport" | "takePermit">,
): Promise<WorkerRunner & { readonly server: Server }> {
  /** The response to the request that the current code handles. */
  const responses = new AsyncLocalStorage<{ open: ServerResponse | undefined }>();
  const created = await create({
    sessionIds: createOwnerIds(owner),
    pendingTakesPlace: true,
    takePermit,
    maxSessions,
    observer: {
      changed: ({ id, transport, state, rings }, reason) =>
        onReport({ kind: "session", id, transport, state, rings, reason }),
      remembered: ({ id, owner: plugin }, record) => onReport({ kind: "remembered", id, plugin, record }),
      aliased: ({ id }, key) => onReport({ kind: "alias", id, key }),
      rejected() {
        const response = responses.getStore()?.open;
        if (response && !response.headersSent) response.setHeader(rejectedHeader, "1");
      },
    },
  });
  const server = await created.runner.attach(path, new URL(url));
  await chmod(path, 0o600);
  server.prependListener("request", (request, response) => {
    takeClient(request);
    // A session that the request begins runs in the same context, and must not keep the response.
    const current: { open: ServerResponse | undefined } = { open: response };
    response.once("close", () => {
      current.open = undefined;
    });
    responses.enterWith(current);
  });
  server.prependListener("upgrade", takeClient);
  return { ...created, server };
}

/** Gives a request that the gateway forwarded the address of its caller. Connections that were handed over have their own. */
function takeClient(request: IncomingMessage): void {
  if (request.socket.remoteAddress === undefined) nameClient(request);
}

/** Gives a request the address of its caller that the gateway or another node sent along. */
export function nameClient({ socket, headers }: IncomingMessage): void {
  const { [clientHeader]: client } = headers;
  delete headers[clientHeader];
  if (client !== undefined) Object.defineProperty(socket, "remoteAddress", { value: client, configurable: true });
}
