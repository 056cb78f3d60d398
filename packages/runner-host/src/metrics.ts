import { type CallCounters, type CloseReason, errorStatus, type Transport } from "@pipecat-ts/runner-core";
import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type Metric,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
  Summary,
} from "prom-client";

/** The metrics of one runner for Prometheus. All label values are bounded: none contains what callers send. */
export interface Metrics {
  readonly contentType: string;
  /** All metrics as text. Reading does not change them. */
  text(): Promise<string>;
  /** All metrics as JSON, for `aggregateMetrics`. */
  values(): Promise<MetricValues>;
  /** Counts a rejected request, socket or caller. */
  countRejection(code: string): void;
  /** Counts a connection that was closed before its first byte was read. */
  connectionRefused(reason: string): void;
  sessionEnded(transport: string, reason: CloseReason): void;
  /** Code held the event loop for `ms`. */
  eventLoopBlocked(ms: number): void;
  /** Counts what a bot's transport does, until the returned function is called. */
  follow(name: string, transport: Transport): () => void;
}

/** The metrics of one process as JSON. */
export type MetricValues = readonly MetricObjectWithValues<MetricValue<string>>[];

/** The metrics of several processes together, as text: sums, except where a metric says otherwise. */
export function aggregateMetrics(processes: readonly MetricValues[]): Promise<string> {
  return aggregate(processes).metrics();
}

/** The same as JSON. */
export function sumMetrics(processes: readonly MetricValues[]): Promise<MetricValues> {
  return aggregate(processes).getMetricsAsJSON();
}

function aggregate(processes: readonly MetricValues[]): Registry {
  return AggregatorRegistry.aggregate(processes as unknown as object[]);
}

/** Values that only grow, without the gauges of a process, which end with it. */
export function countersOf(values: MetricValues): MetricValues {
  return values.filter(({ type }) => String(type) !== "gauge");
}

/** The lag of the media timer: runner-media's `LagHistogram`. */
interface Lag {
  readonly count: number;
  readonly sumMs: number;
  countUpTo(ms: number): number;
}

/** Bounds of the lag histogram, in ms. */
const lagBounds = [1, 2, 5, 10, 20, 50, 100, 200];

export function createMetrics(sources: {
  sessions(): Iterable<{ readonly transport: string; readonly state: string }>;
  lag(): Lag;
  droppedLogLines(): number;
}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  let hasProcessMetrics = false;

  const endedSessions = new Counter({
    name: "pipecat_sessions_ended_total",
    help: "Ended sessions, by transport and reason.",
    labelNames: ["transport", "reason"],
    registers,
  });
  const rejections = new Counter({
    name: "pipecat_rejections_total",
    help: "Rejected requests, sockets and callers, by error code.",
    labelNames: ["code"],
    registers,
  });
  const refusedConnections = new Counter({
    name: "pipecat_connections_refused_total",
    help: "Connections that were closed because too many were open: of all clients, of one client, or for lack of file descriptors.",
    labelNames: ["reason"],
    registers,
  });
  const firstAudio = new Histogram({
    name: "pipecat_first_audio_seconds",
    help: "Time from the creation of the bot's transport to its first audio.",
    labelNames: ["transport"],
    buckets: [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10],
    registers,
  });
  const blocked = new Summary({
    name: "pipecat_event_loop_blocked_seconds",
    help: "Times for which code held the event loop, each at least 0.2 s.",
    percentiles: [],
    registers,
  });
  const drops = createDropCounter(registers);
  new Counter({
    name: "pipecat_log_lines_dropped_total",
    help: "Log lines that could not be written.",
    registers,
    collect() {
      this.reset();
      this.inc(sources.droppedLogLines());
    },
  });
  new Gauge({
    name: "pipecat_sessions",
    help: "Live sessions, by transport and state.",
    labelNames: ["transport", "state"],
    registers,
    collect() {
      this.reset();
      for (const { transport, state } of sources.sessions()) if (state !== "ended") this.inc({ transport, state });
    },
  });
  registry.registerMetric(lagMetric(sources.lag) as unknown as Metric);

  /**
   * Runs on the first scrape, because from then on prom-client observes garbage collection and the event loop, and never stops.
   * Omits the percentiles of the event loop, because reading them resets them.
   */
  function addProcessMetrics(): void {
    if (hasProcessMetrics) return;
    hasProcessMetrics = true;
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1_000 });
    for (const name of ["min", "max", "mean", "stddev", "p50", "p90", "p99"]) {
      registry.removeSingleMetric(`nodejs_eventloop_lag_${name}_seconds`);
    }
  }

  return {
    contentType: registry.contentType,
    text() {
      addProcessMetrics();
      return registry.metrics();
    },
    values() {
      addProcessMetrics();
      return registry.getMetricsAsJSON();
    },
    countRejection(code) {
      rejections.inc({ code: Object.hasOwn(errorStatus, code) ? code : "OTHER" });
    },
    connectionRefused(reason) {
      refusedConnections.inc({ reason: reason.replaceAll(" ", "-") });
    },
    sessionEnded(transport, reason) {
      endedSessions.inc({ transport, reason });
    },
    eventLoopBlocked(ms) {
      blocked.observe(ms / 1000);
    },
    follow(name, transport) {
      const createdMs = performance.now();
      const forget = transport.on(
        "botStartedSpeaking",
        () => {
          firstAudio.observe({ transport: name }, (performance.now() - createdMs) / 1000);
          forget();
        },
        { tap: true },
      );
      return drops.follow(name, transport);
    },
  };
}

/** Sums the dropped frames of all calls of each transport, live ones included. */
function createDropCounter(registers: Registry[]): Pick<Metrics, "follow"> {
  const live = new Map<Transport, string>();
  const total = new Map<string, CallCounters>();

  function plus(sum: CallCounters | undefined, { inputDropped, outputDropped }: CallCounters): CallCounters {
    return {
      inputDropped: (sum?.inputDropped ?? 0) + inputDropped,
      outputDropped: (sum?.outputDropped ?? 0) + outputDropped,
    };
  }

  new Counter({
    name: "pipecat_frames_dropped_total",
    help: "Dropped audio frames: of the caller (input) or the bot (output).",
    labelNames: ["transport", "direction"],
    registers,
    collect() {
      const now = new Map(total);
      for (const [{ counters }, name] of live) if (counters) now.set(name, plus(now.get(name), counters));
      this.reset();
      for (const [transport, { inputDropped, outputDropped }] of now) {
        this.inc({ transport, direction: "input" }, inputDropped);
        this.inc({ transport, direction: "output" }, outputDropped);
      }
    },
  });

  return {
    follow(name, transport) {
      live.set(transport, name);
      return () => {
        if (live.delete(transport) && transport.counters) total.set(name, plus(total.get(name), transport.counters));
      };
    },
  };
}

/** A histogram that is counted elsewhere, in the form that prom-client's registry reads: one tick costs it nothing. */
function lagMetric(lag: () => Lag): object {
  const name = "pipecat_pacer_lag_seconds";
  return {
    name,
    async get() {
      const { count, sumMs } = lag();
      const bucket = (le: number | string, value: number) => ({ metricName: `${name}_bucket`, labels: { le }, value });
      return {
        name,
        help: "How late audio frames of bots were sent.",
        type: "histogram",
        aggregator: "sum",
        values: [
          ...lagBounds.map((ms) => bucket(ms / 1000, lag().countUpTo(ms))),
          bucket("+Inf", count),
          { metricName: `${name}_sum`, labels: {}, value: sumMs / 1000 },
          { metricName: `${name}_count`, labels: {}, value: count },
        ],
      };
    },
    reset: () => undefined,
  };
}
