import { RunnerError } from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import { expect, test, vi } from "vitest";
import { createRunner } from "./create-runner.ts";
import { fakePlugin } from "./test/fake-plugin.ts";
import { createRecordedLog, startRunner } from "./test/fixture.ts";

const bot = () => undefined;

function createUnopened(plugins: Parameters<typeof createRunner>[0]["plugins"] & object, more: object = {}) {
  return createRunner({ bot, plugins, port: 0, logger: createRecordedLog(), env: {}, ...more });
}

test("a plugin that is unavailable is not opened, and the others are", async () => {
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
      listeners: [],
      availability: { state: "unavailable", reason: "No key.", fix: "Set KEY." },
    },
    {
      name: "b",
      startable: true,
      banner: [],
      listeners: [],
      availability: { state: "limited", reason: "No TURN.", fix: "Set TURN." },
    },
    { name: "c", startable: true, banner: [], listeners: [], availability: { state: "ready" } },
  ]);
});

test("a plugin whose check or open throws is unavailable with the reason, and the error is logged", async () => {
  const plugins = [
    fakePlugin({
      name: "checks",
      check: () => {
        throw new RunnerError("FAKE_FAILED", "The key is missing.", { fix: "Set KEY." });
      },
    }),
    fakePlugin({ name: "opens", open: () => Promise.reject(new Error("no port")) }),
    fakePlugin(),
  ];
  await using host = await startRunner({ plugins });
  expect(host.runner.transports.map(({ availability }) => availability)).toEqual([
    { state: "unavailable", reason: "The key is missing.", fix: "Set KEY." },
    { state: "unavailable", reason: "no port", fix: expect.any(String) },
    { state: "ready" },
  ]);
  expect(host.log.lines.filter(({ level }) => level === "error").map(({ fields }) => fields.transport)).toEqual([
    "checks",
    "opens",
  ]);
  expect((await host.post("/start")).status).toBe(200);
});

test("restricted to one transport, only plugins that are always open are opened beside it", async () => {
  const [check, open] = [vi.fn(), vi.fn()];
  const plugins = [
    fakePlugin({ name: "other", check, open }),
    fakePlugin(),
    fakePlugin({ name: "helper", alwaysOpen: true, open: () => ({ close: async () => undefined }) }),
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

test.each([
  ["other", 'The transport "other" is not installed. Installed: "fake".', /^Install its package: https:/],
  ["fale", 'The transport "fale" is not installed. Installed: "fake".', /^Did you mean "fake"\?$/],
  [
    "helper",
    '"helper" is installed, but runs beside every transport.',
    /^Choose another one, or none\. Installed: "fake"\.$/,
  ],
])("restricted to %s, which callers cannot choose, listen() rejects", async (transport, message, fix) => {
  const plugins = [fakePlugin(), fakePlugin({ name: "helper", alwaysOpen: true })];
  await expect(createUnopened(plugins, { transport }).listen()).rejects.toMatchObject({
    code: "TRANSPORT_UNKNOWN",
    message,
    fix: expect.stringMatching(fix),
  });
});

test("restricted to an unavailable transport, listen() rejects and closes what it opened", async () => {
  const close = vi.fn(async () => undefined);
  const plugins = [
    fakePlugin({ name: "helper", rank: 9, alwaysOpen: true, opened: { close } }),
    fakePlugin({ check: () => ({ state: "unavailable", reason: "No key.", fix: "Set KEY." }) }),
  ];
  await expect(createUnopened(plugins, { transport: "fake" }).listen()).rejects.toMatchObject({
    code: "TRANSPORT_UNAVAILABLE",
    message: '"fake" is unavailable: No key.',
    fix: "Set KEY.",
  });
  expect(close).toHaveBeenCalledTimes(1);
});

const withOptions = (seen: unknown[] = []) =>
  fakePlugin({
    options: {
      speed: { flag: "fake-speed", env: "FAKE_SPEED", default: 1, description: "", schema: Type.Integer() },
    } as never,
    check(options) {
      seen.push(options);
      return { state: "ready" };
    },
  });

test("a plugin's options come from code, else from the environment, else from its defaults", async () => {
  const seen: unknown[] = [];
  const env = { FAKE_SPEED: "2" };
  for (const more of [{ env, pluginOptions: { fake: { speed: 3 } } }, { env }, {}]) {
    await using _host = await startRunner({ plugins: [withOptions(seen)], ...more });
  }
  expect(seen).toEqual([{ speed: 3 }, { speed: 2 }, { speed: 1 }]);
});

test("an invalid or unknown option rejects listen() with its name", async () => {
  const wrong = createUnopened([withOptions()], { env: { FAKE_SPEED: "fast" } });
  await expect(wrong.listen()).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringContaining("fast"),
  });
  for (const pluginOptions of [{ fake: { sped: 1 } }, { fack: { speed: 1 } }]) {
    await expect(createUnopened([withOptions()], { pluginOptions }).listen()).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  }
  const invalid = new RunnerError("OPTION_INVALID", "--speed and --slow were both given.");
  const invalidCheck = fakePlugin({ check: () => Promise.reject(invalid) });
  await expect(createUnopened([invalidCheck]).listen()).rejects.toBe(invalid);
});

test.each([
  ["two plugins with one name", [fakePlugin(), fakePlugin()]],
  ["a module instead of its default export", [{ default: fakePlugin() }]],
  ["undefined", [undefined]],
  ["a plugin for contract version 0", [{ ...fakePlugin(), apiVersion: 0 }]],
])("listen() rejects %s with PLUGIN_INVALID", async (_what, plugins) => {
  await expect(createUnopened(plugins as never).listen()).rejects.toMatchObject({ code: "PLUGIN_INVALID" });
});

test("plugins of one runner share values by key", async () => {
  const values: object[] = [];
  const sharingPlugin = (name: string) =>
    fakePlugin({
      name,
      open(runner) {
        values.push(runner.shared("bag", () => ({})));
        return { close: async () => undefined };
      },
    });
  await using _one = await startRunner({ plugins: [sharingPlugin("a"), sharingPlugin("b")] });
  await using _two = await startRunner({ plugins: [sharingPlugin("a")] });
  expect(values[0]).toBe(values[1]);
  expect(values[2]).not.toBe(values[0]);
});
