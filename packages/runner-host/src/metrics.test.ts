import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { connectOf, type RunnerContext, type Transport, type TransportPlugin } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { fakePlugin } from "./test/fake-plugin.ts";
import { openSocket, type RunnerFixture, startRunner } from "./test/fixture.ts";

/** What Prometheus would read, by name and labels. */
async function scrape(host: RunnerFixture): Promise<Record<string, number>> {
  const response = await host.fetch("/metrics");
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
  );
}

test("sessions are told by transport and state, and their endings by reason", async () => {
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
  const figures = await scrape(host);
  expect(figures).toMatchObject({
    'pipecat_sessions_ended_total{transport="fake",reason="ended-by-request"}': 1,
  });
  expect(Object.keys(figures).filter((name) => name.startsWith("pipecat_sessions{"))).toEqual([]);
  const ended = Object.entries(figures).filter(([name]) => name.startsWith("pipecat_sessions_ended"));
  expect(ended.reduce((sum, [, count]) => sum + count, 0)).toBe(3);
});

test("refusals are counted by code, over HTTP and WebSocket, and codes of others as one", async () => {
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
  const connection = connect(Number(host.runner.url.port), "127.0.0.1");
  const head = ["Host: localhost", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  const { id } = (await host.post("/start")).body;
  connection.write([`GET /fake/${id} HTTP/1.1`, ...head, "Sec-WebSocket-Key: no", "", ""].join("\r\n"));
  expect(await text(connection)).toContain("REQUEST_INVALID");
  expect(await openSocket(host, "/fake/nobody")).toBe("404 SESSION_UNKNOWN");
  await host.fetch("/own/one");
  expect(await scrape(host)).toMatchObject({
    'pipecat_refusals_total{code="NOT_FOUND"}': 2,
    'pipecat_refusals_total{code="BODY_INVALID"}': 1,
    'pipecat_refusals_total{code="SESSION_UNKNOWN"}': 1,
    'pipecat_refusals_total{code="REQUEST_INVALID"}': 2,
  });
});

test("the first sound, dropped frames and the pacer's lateness are told, of live calls and ended ones", async () => {
  let resets = 0;
  const dropped = { inputDropped: 3, outputDropped: 4 };
  let speak: () => void = () => undefined;
  await using host = await startRunner({
    plugins: [
      withCounters(
        dropped,
        (start) => (speak = start),
        (runner) => {
          const percentileMs = (percent: number) => percent / 10;
          runner.shared("pacer", () => ({ lateness: { maxMs: 70, percentileMs, reset: () => resets++ } }));
        },
      ),
    ],
    bot: async (args) => {
      await connectOf(args)({});
      speak();
      speak();
      if (!args.signal.aborted) await once(args.signal, "abort");
    },
  });
  const { id } = await host.call();
  const expected = {
    'pipecat_first_audio_seconds_count{transport="fake"}': 1,
    'pipecat_frames_dropped_total{transport="fake",direction="input"}': 3,
    'pipecat_frames_dropped_total{transport="fake",direction="output"}': 4,
    'pipecat_pacer_lateness_seconds{quantile="0.5"}': 0.005,
    'pipecat_pacer_lateness_seconds{quantile="1"}': 0.07,
  };
  await expect.poll(() => scrape(host)).toMatchObject(expected);
  const before = resets;
  expect(await scrape(host)).toMatchObject(expected);
  expect(resets).toBe(before + 1);
  await host.fetch(`/sessions/${id}`, { method: "DELETE" });
  expect(await scrape(host)).toMatchObject(expected);
});

test("a blocked event loop is told at the next scrape, and not at the one after", async () => {
  await using host = await startRunner();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await scrape(host);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const untilMs = performance.now() + 200;
  while (performance.now() < untilMs);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const largest = 'pipecat_event_loop_delay_seconds{quantile="1"}';
  const blocked = (await scrape(host))[largest] ?? 0;
  expect(blocked).toBeGreaterThan(0.15);
  expect((await scrape(host))[largest]).toBeLessThan(blocked);
});

test("with a key, the figures are for its holders", async () => {
  const apiKey = "sixteen-characters";
  await using host = await startRunner({ apiKey });
  expect((await host.fetch("/metrics")).status).toBe(401);
  expect((await host.fetch("/metrics", { headers: { authorization: `Bearer ${apiKey}` } })).status).toBe(200);
});

test("two runners in one process count apart", async () => {
  await using one = await startRunner();
  await using two = await startRunner();
  await one.call();
  expect(await scrape(one)).toMatchObject({ 'pipecat_sessions{transport="fake",state="active"}': 1 });
  expect(await scrape(two)).not.toHaveProperty('pipecat_sessions{transport="fake",state="active"}');
});

/** The toy with counters, and a way to have its bot be heard. */
function withCounters(
  counters: NonNullable<Transport["counters"]>,
  onSpeak: (speak: () => void) => void,
  onOpen: (runner: RunnerContext) => void,
): TransportPlugin {
  const plugin = fakePlugin();
  return {
    ...plugin,
    open(runner, options) {
      onOpen(runner);
      return plugin.open(
        {
          ...runner,
          findSession(id) {
            const session = runner.findSession(id);
            if (!session) return undefined;
            return {
              ...session,
              state: session.state,
              run: (own, connect) =>
                session.run(own, async (params) => {
                  const transport = await connect(params);
                  const listeners: (() => void)[] = [];
                  onSpeak(() => {
                    for (const listener of [...listeners]) listener();
                  });
                  return {
                    ...transport,
                    counters,
                    on(event, listener, options) {
                      if (event !== "botStartedSpeaking") return transport.on(event, listener, options);
                      listeners.push(listener as () => void);
                      return () => void listeners.splice(listeners.indexOf(listener as () => void), 1);
                    },
                  };
                }),
            };
          },
        },
        options,
      );
    },
  };
}
