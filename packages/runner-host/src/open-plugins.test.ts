import { RunnerError } from "@pipecat-ts/runner-core";
import Type from "typebox";
import { expect, test, vi } from "vitest";
import { createRunner } from "./create-runner.ts";
import { recordLog } from "./test/recorded-log.ts";
import { toyPlugin } from "./test/toy-plugin.ts";
import { startToyRunner } from "./test/toy-runner.ts";

const bot = () => undefined;

function unopened(plugins: Parameters<typeof createRunner>[0]["plugins"] & object, more: object = {}) {
  return createRunner({ bot, plugins, port: 0, logger: recordLog(), env: {}, ...more });
}

test("a plugin that cannot run says why and is not opened; the others go on", async () => {
  const open = vi.fn();
  const plugins = [
    toyPlugin({ name: "a", open, check: () => ({ state: "unavailable", reason: "No key.", fix: "Set KEY." }) }),
    toyPlugin({ name: "b", check: () => ({ state: "limited", reason: "No TURN.", fix: "Set TURN." }) }),
    toyPlugin({ name: "c", opened: { sockets: [] } }),
  ];
  await using host = await startToyRunner({ plugins });
  expect(open).not.toHaveBeenCalled();
  expect(host.runner.transports).toEqual([
    {
      name: "a",
      selectable: false,
      banner: [],
      availability: { state: "unavailable", reason: "No key.", fix: "Set KEY." },
    },
    {
      name: "b",
      selectable: true,
      banner: [],
      availability: { state: "limited", reason: "No TURN.", fix: "Set TURN." },
    },
    { name: "c", selectable: true, banner: [], availability: { state: "ready" } },
  ]);
});

test("a plugin that fails to check or to open is unavailable with its reason, and is logged", async () => {
  const plugins = [
    toyPlugin({
      name: "checks",
      check: () => {
        throw new RunnerError("KITE", "The string broke.", { fix: "Knot it." });
      },
    }),
    toyPlugin({ name: "opens", open: () => Promise.reject(new Error("no port")) }),
    toyPlugin(),
  ];
  await using host = await startToyRunner({ plugins });
  expect(host.runner.transports.map(({ availability }) => availability)).toEqual([
    { state: "unavailable", reason: "The string broke.", fix: "Knot it." },
    { state: "unavailable", reason: "no port", fix: expect.any(String) },
    { state: "ready" },
  ]);
  expect(host.log.lines.filter(({ level }) => level === "error").map(({ fields }) => fields.transport)).toEqual([
    "checks",
    "opens",
  ]);
  expect((await host.post("/start")).status).toBe(200);
});

test("restricted to one transport, others are neither checked nor opened, but what nobody chooses is", async () => {
  const [check, open] = [vi.fn(), vi.fn()];
  const plugins = [
    toyPlugin({ name: "other", check, open }),
    toyPlugin(),
    toyPlugin({ name: "helper", selectable: false, open: () => ({ close: async () => undefined }) }),
  ];
  await using host = await startToyRunner({ plugins, transport: "toy" });
  expect(check).not.toHaveBeenCalled();
  expect(open).not.toHaveBeenCalled();
  expect(host.runner.transports).toMatchObject([
    { name: "other", selectable: false, availability: { reason: 'This runner is restricted to "toy".' } },
    { name: "toy", selectable: true },
    { name: "helper", selectable: false, availability: { state: "ready" } },
  ]);
});

test.each(["telepathy", "helper"])(
  "restricted to %s, which nobody can choose, it does not start",
  async (transport) => {
    const plugins = [toyPlugin(), toyPlugin({ name: "helper", selectable: false })];
    await expect(unopened(plugins, { transport }).listen()).rejects.toMatchObject({
      code: "TRANSPORT_UNKNOWN",
      message: expect.stringContaining('Installed: "toy".'),
    });
  },
);

test("restricted to a transport that cannot run, it does not start, and closes what it opened", async () => {
  const close = vi.fn(async () => undefined);
  const plugins = [
    toyPlugin({ name: "helper", rank: 9, selectable: false, opened: { close } }),
    toyPlugin({ check: () => ({ state: "unavailable", reason: "No key.", fix: "Set KEY." }) }),
  ];
  await expect(unopened(plugins, { transport: "toy" }).listen()).rejects.toMatchObject({
    code: "TRANSPORT_UNAVAILABLE",
    message: '"toy" cannot be used here: No key.',
    fix: "Set KEY.",
  });
  expect(close).toHaveBeenCalledTimes(1);
});

const withOptions = (seen: unknown[] = []) =>
  toyPlugin({
    options: {
      speed: { flag: "toy-speed", env: "TOY_SPEED", default: 1, description: "", schema: Type.Integer() },
    } as never,
    check(options) {
      seen.push(options);
      return { state: "ready" };
    },
  });

test("a plugin's options come from code, else from the environment, else its defaults", async () => {
  const seen: unknown[] = [];
  const env = { TOY_SPEED: "2" };
  for (const more of [{ env, pluginOptions: { toy: { speed: 3 } } }, { env }, {}]) {
    await using _host = await startToyRunner({ plugins: [withOptions(seen)], ...more });
  }
  expect(seen).toEqual([{ speed: 3 }, { speed: 2 }, { speed: 1 }]);
});

test("a wrong option, or one that nobody has, stops the start by name", async () => {
  const wrong = unopened([withOptions()], { env: { TOY_SPEED: "fast" } });
  await expect(wrong.listen()).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringContaining("fast"),
  });
  for (const pluginOptions of [{ toy: { sped: 1 } }, { toi: { speed: 1 } }]) {
    await expect(unopened([withOptions()], { pluginOptions }).listen()).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  }
  const invalid = new RunnerError("OPTION_INVALID", "--speed and --slow were both given.");
  const picky = toyPlugin({ check: () => Promise.reject(invalid) });
  await expect(unopened([picky]).listen()).rejects.toBe(invalid);
});

test.each([
  ["two of one name", [toyPlugin(), toyPlugin()]],
  ["a module instead of its plugin", [{ default: toyPlugin() }]],
  ["nothing", [undefined]],
])("%s is refused as a plugin", async (_what, plugins) => {
  await expect(unopened(plugins as never).listen()).rejects.toMatchObject({ code: "PLUGIN_INVALID" });
});

test("plugins share by key, within one runner", async () => {
  const values: object[] = [];
  const sharing = (name: string) =>
    toyPlugin({
      name,
      open(runner) {
        values.push(runner.shared("bag", () => ({})));
        return { close: async () => undefined };
      },
    });
  await using _one = await startToyRunner({ plugins: [sharing("a"), sharing("b")] });
  await using _two = await startToyRunner({ plugins: [sharing("a")] });
  expect(values[0]).toBe(values[1]);
  expect(values[2]).not.toBe(values[0]);
});

test("a path that two transports share is one route object; two objects for one path are refused", async () => {
  const route = { path: "/ws", access: "carrier", maxPayload: 1, accept: () => undefined } as const;
  const plugins = (other: typeof route) => [
    toyPlugin({ name: "a", opened: { sockets: [route] } }),
    toyPlugin({ name: "b", opened: { sockets: [other] } }),
  ];
  await using _host = await startToyRunner({ plugins: plugins(route) });
  await expect(unopened(plugins({ ...route })).listen()).rejects.toMatchObject({ code: "PLUGIN_INVALID" });
});
