import { aggregateMetrics, type MetricValues, sumMetrics } from "@pipecat-ts/runner-host";
import { Counter, Gauge, Registry } from "prom-client";
import type { Fleet } from "./fleet.ts";
import type { WorkerPool } from "./pool.ts";
import type { WorkerExit } from "./worker-process.ts";

/** The metrics of a gateway and its workers together. */
export interface GatewayMetrics {
  /** All metrics as text for Prometheus. */
  text(): Promise<string>;
  /** Keeps the counters of a worker that has ended, so that the sums never fall. */
  workerExited(exit: WorkerExit, lastCounters: MetricValues): void;
  workerSilent(): void;
  /** A rejection was not the response: another worker or node got the request. */
  requestResent(): void;
  /** A request or a socket was sent to another node. */
  forwarded(kind: "request" | "socket"): void;
}

/** The gateway counts how sessions end, because a worker that crashes cannot report its latest ones. */
function withoutEndings(values: MetricValues): MetricValues {
  return values.filter(({ name }) => name !== "pipecat_sessions_ended_total");
}

/** `own`: the metrics of this process. */
export function createGatewayMetrics(
  own: { values(): Promise<MetricValues> },
  pool: Pick<WorkerPool, "all" | "counts">,
  fleet?: Fleet,
): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  const exits = new Counter({
    name: "pipecat_worker_exits_total",
    help: "Ended worker processes: stopped by the gateway, or ended by an exit code, a signal, or their heap limit.",
    labelNames: ["cause"],
    registers,
  });
  const silent = new Counter({
    name: "pipecat_worker_silent_total",
    help: "How often a worker with a free place did not answer within 0.5 s, because its event loop was blocked.",
    registers,
  });
  const resent = new Counter({
    name: "pipecat_resent_requests_total",
    help: "Requests that a full worker rejected, and another one got. pipecat_rejections_total counts these rejections too.",
    registers,
  });
  const forwarded =
    fleet &&
    new Counter({
      name: "pipecat_fleet_forwarded_total",
      help: "Requests and sockets that this node sent to another one.",
      labelNames: ["kind"],
      registers,
    });
  new Gauge({
    name: "pipecat_workers",
    help: "Worker processes, by state.",
    labelNames: ["state"],
    registers,
    collect() {
      for (const [state, count] of Object.entries(pool.counts)) this.set({ state }, count);
    },
  });
  /** Sums of the counters of workers that have ended. */
  let ended: Promise<MetricValues> = Promise.resolve([]);

  return {
    async text() {
      // Of workers that have ended by now: one that ends meanwhile is among the others.
      const past = ended;
      const workers = await Promise.all(pool.all().map((worker) => worker.metrics()));
      const gateway = await Promise.all([own.values(), registry.getMetricsAsJSON(), fleet?.metrics() ?? []]);
      return await aggregateMetrics([...gateway, ...[await past, ...workers].map(withoutEndings)]);
    },
    workerExited({ cause }, lastCounters) {
      exits.inc({ cause });
      ended = ended.then((before) => sumMetrics([before, lastCounters]));
    },
    workerSilent: () => silent.inc(),
    requestResent: () => resent.inc(),
    forwarded: (kind) => forwarded?.inc({ kind }),
  };
}
