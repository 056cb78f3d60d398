import type { Runner, RunnerLogger, RunnerOptions } from "@pipecat-ts/runner-host";
import { createGateway } from "../../packages/runner-gateway/src/gateway.ts";
import { createInMemoryWorkers } from "../../packages/runner-gateway/src/test/in-memory-workers.ts";

/** A runner behind a gateway, both in this process: callers reach it as with `--isolation process`. */
export function createIsolatedRunner(options: RunnerOptions & { readonly logger: RunnerLogger }): Runner {
  const { maxSessions = 40 } = options;
  const workers = createInMemoryWorkers(() => options);
  const { bot: _, ...front } = options;
  const gateway = createGateway({
    runner: front,
    isolation: {
      workerSessions: Number.isFinite(maxSessions) ? maxSessions : 1_000,
      warmWorkers: 1,
      maxWorkers: 1,
      workerMemory: undefined,
      workerCalls: undefined,
    },
    workers: workers.start,
  });

  function inner(): Runner {
    const [runner] = workers.runners;
    if (!runner) throw new Error("The worker has not started.");
    return runner;
  }

  return {
    get app() {
      return inner().app;
    },
    get router() {
      return inner().router;
    },
    get sessions() {
      return inner().sessions;
    },
    get transports() {
      return gateway.report.transports;
    },
    get unauthenticatedRoutes() {
      return gateway.report.unauthenticatedRoutes;
    },
    get url() {
      return gateway.url;
    },
    listen: gateway.listen,
    open: () => inner().open(),
    handle: (request, response) => inner().handle(request, response),
    upgrade: (request, socket, head) => inner().upgrade(request, socket, head),
    attach: (path, url) => inner().attach(path, url),
    metrics: () => inner().metrics(),
    cleanUpAfterCrash: (plugin, record) => inner().cleanUpAfterCrash(plugin, record),
    direct: (name) => inner().direct(name),
    drain: gateway.drain,
    close: gateway.close,
    handleUncaught: (error) => workers.runners.some((runner) => runner.handleUncaught(error)),
  };
}
