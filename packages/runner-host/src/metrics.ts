import { type CallCounters, type CloseReason, errorStatus, type Transport } from "@pipecat-ts/runner-core";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { createEventLoopDelay } from "./event-loop-delay.ts";

/** What sessions tell of themselves, each with the name of its transport. */
export interface SessionMetrics {
  ended(transport: string, reason: CloseReason): void;
  /** The bot has connected: counts from now to its first sound, and what is lost until what is returned is called. */
  follow(name: string, transport: Transport): () => void;
}

/** The figures of one runner, in Prometheus' text format. Every label's values are bounded: none holds what callers send. */
export interface Metrics extends SessionMetrics {
  readonly contentType: string;
  text(): Promise<string>;
  /** A request or a socket was refused with this code. */
  refused(code: string): void;
  /** Measures the event loop from now on, until `stop`. */
  start(): void;
  stop(): void;
}

/** What is counted of the pacer that transports share: runner-media's `Lateness` fits it. */
interface Pacer {
  readonly lateness: { readonly maxMs: number; percentileMs(percent: number): number; reset(): void };
}

export function createMetrics(options: {
  sessions(): Iterable<{ readonly transport: string; readonly state: string }>;
  /** What transports keep as `runner.shared("pacer", …)`; undefined when none does. */
  pacer(): unknown;
}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const eventLoop = createEventLoopDelay();

  const endings = new Counter({
    name: "pipecat_sessions_ended_total",
    help: "Sessions that ended, by transport and reason.",
    labelNames: ["transport", "reason"],
    registers,
  });
  const refusals = new Counter({
    name: "pipecat_refusals_total",
    help: "Requests and sockets that were answered with an error, and callers who were turned away, by its code.",
    labelNames: ["code"],
    registers,
  });
  const firstAudio = new Histogram({
    name: "pipecat_first_audio_seconds",
    help: "From the bot's connecting to its first sound.",
    labelNames: ["transport"],
    buckets: [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10],
    registers,
  });
  const losses = createLosses(registers);
  new Gauge({
    name: "pipecat_sessions",
    help: "Sessions now, by transport and state.",
    labelNames: ["transport", "state"],
    registers,
    collect() {
      this.reset();
      for (const { transport, state } of options.sessions()) if (state !== "ended") this.inc({ transport, state });
    },
  });
  new Gauge({
    name: "pipecat_pacer_lateness_seconds",
    help: "How late frames of the bots' voices were sent since the scrape before: median, 99th percentile and largest.",
    labelNames: ["quantile"],
    registers,
    collect() {
      const lateness = latenessOf(options.pacer());
      this.set({ quantile: "0.5" }, (lateness?.percentileMs(50) ?? 0) / 1000);
      this.set({ quantile: "0.99" }, (lateness?.percentileMs(99) ?? 0) / 1000);
      this.set({ quantile: "1" }, (lateness?.maxMs ?? 0) / 1000);
      lateness?.reset();
    },
  });
  new Gauge({
    name: "pipecat_event_loop_delay_seconds",
    help: "How long timers had to wait since the scrape before: median, 99th percentile and largest.",
    labelNames: ["quantile"],
    registers,
    collect() {
      const { p50, p99, max } = eventLoop.take();
      this.set({ quantile: "0.5" }, p50);
      this.set({ quantile: "0.99" }, p99);
      this.set({ quantile: "1" }, max);
    },
  });

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    refused(code) {
      refusals.inc({ code: Object.hasOwn(errorStatus, code) ? code : "OTHER" });
    },
    ended(transport, reason) {
      endings.inc({ transport, reason });
    },
    follow(name, transport) {
      const connectedMs = performance.now();
      const forget = transport.on(
        "botStartedSpeaking",
        () => {
          firstAudio.observe({ transport: name }, (performance.now() - connectedMs) / 1000);
          forget();
        },
        { tap: true },
      );
      return losses.follow(name, transport);
    },
    start: eventLoop.start,
    stop: eventLoop.stop,
  };
}

/** Adds up what the calls of each transport have lost, the live ones included. */
function createLosses(registers: Registry[]): Pick<SessionMetrics, "follow"> {
  const live = new Map<Transport, string>();
  const total = new Map<string, CallCounters>();

  function plus(lost: CallCounters | undefined, { inputDropped, outputDropped }: CallCounters): CallCounters {
    return {
      inputDropped: (lost?.inputDropped ?? 0) + inputDropped,
      outputDropped: (lost?.outputDropped ?? 0) + outputDropped,
    };
  }

  new Counter({
    name: "pipecat_frames_dropped_total",
    help: "Frames of sound that were dropped: of the caller's voice (input) or the bot's (output).",
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

function latenessOf(pacer: unknown): Pacer["lateness"] | undefined {
  const { lateness } = Object(pacer) as Partial<Pacer>;
  return typeof lateness?.percentileMs === "function" ? lateness : undefined;
}
