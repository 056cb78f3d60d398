import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { DoctorContext, TransportPlugin } from "@pipecat-ts/runner-core";
import { expect, onTestFinished, test } from "vitest";
import { runnerGroup } from "./command-line.ts";
import { runChecks } from "./doctor.ts";
import { checkServer } from "./doctor-command.ts";
import { freePort } from "./test/free-port.ts";

/** A transport, and the contexts that its checks got. */
function createTransport(name: string, doctor?: (context: DoctorContext) => readonly []) {
  const contexts: DoctorContext[] = [];
  const plugin: TransportPlugin = {
    apiVersion: 1,
    name,
    open: () => Promise.reject(new Error("doctor opens no transport")),
    advanced: {
      doctor(_, context) {
        contexts.push(context);
        return doctor?.(context) ?? [];
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
