import { RunnerError } from "@pipecat-ts/runner-core";
import Type from "typebox";
import { expect, test, vi } from "vitest";
import { createRunner } from "./create-runner.ts";
import { fakePlugin } from "./test/fake-plugin.ts";
import { recordLog, startRunner } from "./test/fixture.ts";

const bot = () => undefined;

function unopened(plugins: Parameters<typeof createRunner>[0]["plugins"] & object, more: object = {}) {
  return createRunner({ bot, plugins, port: 0, logger: recordLog(), env: {}, ...more });
}

test("a plugin that cannot run says why and is not opened; the others go on", async () => {
  const open = vi.fn();
  const plugins = [
    fakePlugin({ name: "a", open, check: () => ({ state: "unavailable", reason: "No key.", fix: "Set KEY." }) }),
    fakePlugin({ name: "b", check: () => ({ state: "limited", reason: "No TURN.", fix: "Set TURN." }) }),
    fakePlugin({ name: "c", opened: { sockets: [] } }),
  ];
  await using host = await startRunner({ plugins });
  expect(open).not.toHaveBeenCalled();
  expect(host.runner.transports).toEqual([
    {
      name: "a",
      startable: false,
      banner: [],
      availability: { state: "unavailable", reason: "No key.", fix: "Set KEY." },
    },
    {
      name: "b",
      startable: true,
      banner: [],
      availability: { state: "limited", reason: "No TURN.", fix: "Set TURN." },
    },
    { name: "c", startable: true, banner: [], availability: { state: "ready" } },
  ]);
});

test("a plugin that fails to check or to open is unavailable with its reason, and is logged", async () => {
  const plugins = [
    fakePlugin({
      name: "checks",
      check: () => {
        throw new RunnerError("KITE", "The string broke.", { fix: "Knot it." });
      },
    }),
    fakePlugin({ name: "opens", open: () => Promise.reject(new Error("no port")) }),
    fakePlugin(),
  ];
  await using host = await startRunner({ plugins });
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
    fakePlugin({ name: "other", check, open }),
    fakePlugin(),
    fakePlugin({ name: "helper", startable: false, open: () => ({ close: async () => undefined }) }),
  ];
  await using host = await startRunner({ plugins, transport: "fake" });
  expect(check).not.toHaveBeenCalled();
  expect(open).not.toHaveBeenCalled();
  expect(host.runner.transports).toMatchObject([
    { name: "other", startable: false, availability: { reason: 'This runner is restricted to "fake".' } },
    { name: "fake", startable: true },
    { name: "helper", startable: false, availability: { state: "ready" } },
  ]);
});

test.each(["telepathy", "helper"])(
  "restricted to %s, which nobody can choose, it does not start",
  async (transport) => {
    const plugins = [fakePlugin(), fakePlugin({ name: "helper", startable: false })];
    await expect(unopened(plugins, { transport }).listen()).rejects.toMatchObject({
      code: "TRANSPORT_UNKNOWN",
      message: expect.stringContaining('Installed: "fake".'),
    });
  },
);

test("restricted to a transport that cannot run, it does not start, and closes what it opened", async () => {
  const close = vi.fn(async () => undefined);
  const plugins = [
    fakePlugin({ name: "helper", rank: 9, startable: false, opened: { close } }),
    fakePlugin({ check: () => ({ state: "unavailable", reason: "No key.", fix: "Set KEY." }) }),
  ];
  await expect(unopened(plugins, { transport: "fake" }).listen()).rejects.toMatchObject({
    code: "TRANSPORT_UNAVAILABLE",
    message: '"fake" cannot be used here: No key.',
    fix: "Set KEY.",
  });
  expect(close).toHaveBeenCalledTimes(1);
});

const withOptions = (seen: unknown[] = []) =>
  fakePlugin({
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
    await using _host = await startRunner({ plugins: [withOptions(seen)], ...more });
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
  const picky = fakePlugin({ check: () => Promise.reject(invalid) });
  await expect(unopened([picky]).listen()).rejects.toBe(invalid);
});

test.each([
  ["two of one name", [fakePlugin(), fakePlugin()]],
  ["a module instead of its plugin", [{ default: fakePlugin() }]],
  ["nothing", [undefined]],
])("%s is refused as a plugin", async (_what, plugins) => {
  await expect(unopened(plugins as never).listen()).rejects.toMatchObject({ code: "PLUGIN_INVALID" });
});

test("plugins share by key, within one runner", async () => {
  const values: object[] = [];
  const sharing = (name: string) =>
    fakePlugin({
      name,
      open(runner) {
        values.push(runner.shared("bag", () => ({})));
        return { close: async () => undefined };
      },
    });
  await using _one = await startRunner({ plugins: [sharing("a"), sharing("b")] });
  await using _two = await startRunner({ plugins: [sharing("a")] });
  expect(values[0]).toBe(values[1]);
  expect(values[2]).not.toBe(values[0]);
});

test("a path that two transports share is one route object; two objects for one path are refused", async () => {
  const route = { path: "/ws", access: "carrier", maxPayload: 1, accept: () => undefined } as const;
  const plugins = (other: typeof route) => [
    fakePlugin({ name: "a", opened: { sockets: [route] } }),
    fakePlugin({ name: "b", opened: { sockets: [other] } }),
  ];
  await using _host = await startRunner({ plugins: plugins(route) });
  await expect(unopened(plugins({ ...route })).listen()).rejects.toMatchObject({ code: "PLUGIN_INVALID" });
});
