import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Call, TransportPlugin } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createLogger } from "./logging.ts";
import { aggregateMetrics, countersOf } from "./metrics.ts";
import { type FakeArguments, fakePlugin } from "./test/fake-plugin.ts";
import { connect, openSocket, type RunnerFixture, startRunner } from "./test/fixture.ts";

/** The values of all metrics, by name and labels. */
async function scrape(host: RunnerFixture): Promise<Record<string, number>> {
  const response = await host.fetch("/metrics");
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
  );
}

test("sessions are counted by transport and state, and ended ones by reason", async () => {
  await using host = await startRunner();
  await host.post("/start");
  const { id } = await host.call();
  const { socket } = await host.call();
  expect(await scrape(host)).toMatchObject({
    'pipecat_sessions{transport="fake",state="pending"}': 1,
    'pipecat_sessions{transport="fake",state="active"}': 2,
  });
  await host.fetch(`/sessions/${id}`, { method: "DELETE" });
  socket.close();
  void host.runner.sessions.endAll("shutdown");
  await expect.poll(() => [...host.runner.sessions].length).toBe(0);
  const metrics = await scrape(host);
  expect(metrics).toMatchObject({
    'pipecat_sessions_ended_total{transport="fake",reason="ended-by-request"}': 1,
  });
  expect(Object.keys(metrics).filter((name) => name.startsWith("pipecat_sessions{"))).toEqual([]);
  const ended = Object.entries(metrics).filter(([name]) => name.startsWith("pipecat_sessions_ended"));
  expect(ended.reduce((sum, [, count]) => sum + count, 0)).toBe(3);
});

test("rejections are counted by code, over HTTP and WebSocket, and unknown codes as OTHER", async () => {
  await using host = await startRunner({
    plugins: [
      fakePlugin({
        opened: {
          routes: [
            {
              method: "GET",
              path: "/own/:code",
              access: "open",
              handle: (ctx) => {
                throw Object.assign(new Error("x"), { status: 418, expose: true, code: ctx.params.code });
              },
            },
          ],
        },
      }),
    ],
  });
  await host.fetch("/nowhere");
  await host.post("/start", []);
  expect(await openSocket(host, "/nowhere")).toBe("404 NOT_FOUND");
  const connection = connectTcp(Number(host.runner.url.port), "127.0.0.1");
  const head = ["Host: localhost", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  const { id } = (await host.post("/start")).body;
  connection.write([`GET /fake/${id} HTTP/1.1`, ...head, "Sec-WebSocket-Key: no", "", ""].join("\r\n"));
  expect(await text(connection)).toContain("REQUEST_INVALID");
  expect(await openSocket(host, "/fake/unknown")).toBe("404 SESSION_UNKNOWN");
  await host.fetch("/own/one");
  expect(await scrape(host)).toMatchObject({
    'pipecat_rejections_total{code="NOT_FOUND"}': 2,
    'pipecat_rejections_total{code="BODY_INVALID"}': 1,
    'pipecat_rejections_total{code="SESSION_UNKNOWN"}': 1,
    'pipecat_rejections_total{code="REQUEST_INVALID"}': 2,
  });
});

test("first audio, dropped frames and the pacer's lag are counted, of live and ended sessions", async () => {
  const caller: { call?: Call } = {};
  await using host = await startRunner({
    plugins: [audioPlugin((call) => Object.assign(caller, { call }))],
    bot: async (args) => {
      const transport = await connect(args, { audioInEnabled: true, audioOutEnabled: true });
      const second = { samples: new Int16Array(16_000), sampleRate: 16_000, channels: 1 };
      void transport.output.getWriter().write(second);
      const reader = transport.input.getReader();
      for (let count = 0; count < 30; count++) await reader.read();
      if (!args.signal.aborted) await once(args.signal, "abort");
    },
  });
  const { id } = await host.call();
  const firstAudio = 'pipecat_first_audio_seconds_count{transport="fake"}';
  await expect.poll(() => scrape(host)).toMatchObject({ [firstAudio]: 1 });
  // The bot reads some frames, and then none.
  for (let count = 0; count < 30; count++) caller.call?.audio(frame());
  await host.fetch("/livez");
  for (let count = 0; count < 1_000; count++) caller.call?.audio(frame());
  const dropped = 'pipecat_frames_dropped_total{transport="fake",direction="input"}';
  await expect.poll(async () => (await scrape(host)).pipecat_pacer_lag_seconds_count).toBeGreaterThan(1);
  const live = await scrape(host);
  expect(live[dropped]).toBeGreaterThan(500);
  expect(live['pipecat_pacer_lag_seconds_bucket{le="+Inf"}']).toBe(live.pipecat_pacer_lag_seconds_count);
  await host.fetch(`/sessions/${id}`, { method: "DELETE" });
  expect(await scrape(host)).toMatchObject({ [firstAudio]: 1, [dropped]: live[dropped] });
});

test("scraping changes no metric, and process metrics are added by the first scrape", async () => {
  await using host = await startRunner();
  await host.call();
  await host.fetch("/nowhere");
  const own = (metrics: Record<string, number>) =>
    Object.fromEntries(Object.entries(metrics).filter(([name]) => name.startsWith("pipecat_")));
  const first = await scrape(host);
  expect(first).toHaveProperty("process_cpu_seconds_total");
  expect(first).toHaveProperty('pipecat_rejections_total{code="NOT_FOUND"}', 1);
  expect(own(await scrape(host))).toEqual(own(first));
  expect(Object.keys(first).filter((name) => /eventloop_lag_(min|max|mean|p\d+)/.test(name))).toEqual([]);
});

test("log lines that the logger dropped are counted", async () => {
  const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error("no reader")) });
  const logger = createLogger({ stream, fallback: new PassThrough() });
  await using host = await startRunner({ logger });
  logger.info("lost");
  await expect.poll(() => logger.droppedLines).toBeGreaterThan(0);
  expect(await scrape(host)).toMatchObject({ pipecat_log_lines_dropped_total: logger.droppedLines });
});

test("a bot that holds the event loop is counted, and named in the log", async () => {
  await using host = await startRunner({ bot: () => holdEventLoop(210) });
  const { id } = await host.call();
  await expect.poll(() => scrape(host)).toMatchObject({ pipecat_event_loop_blocked_seconds_count: 1 });
  const { pipecat_event_loop_blocked_seconds_sum: seconds } = await scrape(host);
  expect(seconds).toBeGreaterThanOrEqual(0.21);
  expect(host.log.lines).toContainEqual({
    level: "warn",
    message: "event loop blocked",
    fields: { transport: "fake", session: id, durationMs: Math.round((seconds ?? 0) * 1_000) },
  });
});

test("with an API key, /metrics requires it", async () => {
  const apiKey = "sixteen-characters";
  await using host = await startRunner({ apiKey });
  expect((await host.fetch("/metrics")).status).toBe(401);
  expect((await host.fetch("/metrics", { headers: { authorization: `Bearer ${apiKey}` } })).status).toBe(200);
});

test("two runners in one process have separate metrics", async () => {
  await using one = await startRunner();
  await using two = await startRunner();
  await one.call();
  expect(await scrape(one)).toMatchObject({ 'pipecat_sessions{transport="fake",state="active"}': 1 });
  expect(await scrape(two)).not.toHaveProperty('pipecat_sessions{transport="fake",state="active"}');
});

/** The fake transport with audio. `onCall` gets the `Call` of each session. */
function audioPlugin(onCall: (call: Call) => void): TransportPlugin {
  return fakePlugin({
    opened: {
      sockets: [
        {
          path: "/fake",
          access: "caller",
          accept(socket, { session }) {
            const call = session.run<FakeArguments>({ socket: socket.raw }, () => ({
              sampleRates: [16_000],
              frameMs: 20,
              send: () => undefined,
              close: (reason, deadline) => socket.close(reason, deadline),
            }));
            call.connected();
            onCall(call);
            return { message: () => undefined };
          },
        },
      ],
    },
  });
}

function holdEventLoop(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

function frame() {
  return { samples: new Int16Array(320), sampleRate: 16_000, channels: 1 };
}

test("the metrics of several processes are summed, and the counters of an ended process remain", async () => {
  await using one = await startRunner();
  await using two = await startRunner();
  await one.call();
  await two.call();
  await two.call();
  await one.post("/unknown");
  const [first, second] = await Promise.all([one.runner.metrics(), two.runner.metrics()]);
  const together = await aggregateMetrics([first, second]);
  expect(together).toContain('pipecat_sessions{transport="fake",state="active"} 3');
  expect(together).toContain('pipecat_rejections_total{code="NOT_FOUND"} 1');
  expect(together).toMatch(/pipecat_pacer_lag_seconds_bucket{le="\+Inf"} \d/);
  const rest = await aggregateMetrics([countersOf(first), second]);
  expect(rest).toContain('pipecat_sessions{transport="fake",state="active"} 2');
  expect(rest).toContain('pipecat_rejections_total{code="NOT_FOUND"} 1');
});
