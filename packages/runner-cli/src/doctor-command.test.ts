import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type DoctorContext, RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import { expect, onTestFinished, test, vi } from "vitest";
import { runnerGroup } from "./command-line.ts";
import { runChecks } from "./doctor.ts";
import { checkServer, doctor } from "./doctor-command.ts";
import { freePort } from "./test/free-port.ts";

/** A transport, and the contexts that its checks got. */
function createTransport(name: string, doctor?: () => readonly [], formerNames: readonly string[] = []) {
  const contexts: DoctorContext[] = [];
  const plugin: TransportPlugin = {
    apiVersion: 1,
    name,
    open: () => Promise.reject(new Error("doctor opens no transport")),
    advanced: {
      formerNames,
      doctor(_, context) {
        contexts.push(context);
        return doctor?.() ?? [];
      },
    },
  };
  return { plugin, contexts };
}

/** The results of the checks with these options of the runner, by name. */
async function results(given: Record<string, unknown>, ...plugins: readonly TransportPlugin[]) {
  const items = await runChecks(checkServer({ [runnerGroup.name]: given }, plugins), () => undefined);
  return Object.fromEntries(items.map(({ name, ...result }) => [name, result]));
}

async function listen(handle: RequestListener): Promise<URL> {
  const server = createServer(handle).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

test("transports send requests through the public URL only when it leads to this port", async () => {
  const port = await freePort();
  const { plugin, contexts } = createTransport("acme");
  const options = { host: "127.0.0.1", port };
  const own = `http://127.0.0.1:${port}`;
  expect(await results({ ...options, publicUrl: own }, plugin)).toMatchObject({
    [`Public URL ${own}/`]: { state: "passed" },
  });
  const other = await listen((_, response) => void response.end());
  expect(await results({ ...options, publicUrl: other.href }, plugin)).toMatchObject({
    [`Public URL ${other}`]: { state: "failed" },
  });
  expect(contexts.map(({ roundTrip }) => roundTrip !== undefined)).toEqual([true, false]);
});

test.each<[string, Record<string, unknown>]>([
  ["--public-url", { publicUrl: "http://a b" }],
  ["--cloud", { cloud: true, apiKey: "0123456789abcdef" }],
  ["--port", { port: "many" }],
])("an invalid %s is a failed check", async (name, given) => {
  expect(await results(given)).toEqual({
    Options: { state: "failed", reason: expect.stringContaining(name), fix: expect.any(String) },
  });
});

test("an invalid option that the check of the bot has reported is not reported again", async () => {
  const given = { [runnerGroup.name]: { publicUrl: "http://a b" } };
  const [item] = await runChecks(checkServer(given, []), () => undefined);
  const reported = new Set([item?.state === "failed" ? item.reason : ""]);
  expect(await runChecks(checkServer(given, [], reported), () => undefined)).toEqual([]);
});

test("a transport that is not installed fails, and a former name checks its transport", async () => {
  const { plugin } = createTransport("acme", undefined, ["emca"]);
  const options = { host: "127.0.0.1", port: 0 };
  expect(await results({ ...options, transport: "other" }, plugin)).toMatchObject({
    "--transport": { state: "failed", reason: expect.stringContaining('"other" is not installed') },
  });
  const renamed = await results({ ...options, transport: "emca" }, plugin);
  expect(renamed).toMatchObject({ acme: { state: "passed" } });
  expect(renamed).not.toHaveProperty("--transport");
});

test("with --tunnel, the runner is reachable at a URL that is not known yet", async () => {
  const { plugin, contexts } = createTransport("acme");
  const found = await results({ host: "127.0.0.1", port: await freePort(), tunnel: true }, plugin);
  expect(Object.keys(found).slice(1)).toEqual(["Access", "Tunnel", "acme"]);
  expect(found).toMatchObject({ Access: { state: "skipped", fix: expect.stringContaining("--api-key") } });
  expect(contexts[0]?.settings.publicUrl).toBeDefined();
});

test("options that a transport rejects are a failed check, and the other transports are checked", async () => {
  const { plugin: broken } = createTransport("acme", () => {
    throw new RunnerError("OPTION_INVALID", "--relay needs a server.", { fix: "Add one." });
  });
  const { plugin, contexts } = createTransport("other");
  const checked = await results({ host: "127.0.0.1", port: 0 }, broken, plugin);
  expect(checked).toMatchObject({
    acme: { state: "failed", reason: "--relay needs a server.", fix: "Add one." },
    other: { state: "passed" },
  });
  expect(contexts).toHaveLength(1);
});

test.each(["--help", "-h"])("%s prints the help of doctor, and checks nothing", async (flag) => {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  onTestFinished(() => write.mockRestore());
  expect(await doctor(["bot.ts", flag, "--json"])).toBe(0);
  expect(write.mock.calls).toEqual([[expect.stringMatching(/^Usage: pipecat-runner doctor/)]]);
});
