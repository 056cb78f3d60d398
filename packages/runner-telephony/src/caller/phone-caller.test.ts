import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Caller, CallerLine } from "@pipecat-ts/runner-core/caller";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../runner-testing/src/index.ts";
import { type AcmeOptions, createAcme, createAcmeDialect } from "../test/acme.ts";
import { createFixture, type Fixture } from "../test/fixture.ts";
import { createPhoneCaller } from "./phone-caller.ts";

const { options: table, signatures, api, title, name } = createAcme();
const caller = createPhoneCaller<AcmeOptions>({
  name,
  title,
  options: table,
  ...(signatures && { signatures }),
  ...(api && { api }),
  createDialect: ({ key = "another key" }) => createAcmeDialect(name, key),
});
const publicUrl = new URL("https://bots.example.com");
const options = {
  key: "a key",
  apiUrl: "https://api.acme.example",
  verifySignatures: true,
  allowDial: [],
  dialLimit: 10,
};

let fixture: Fixture;
const lines: CallerLine[] = [];
beforeEach(async () => {
  fixture = await createFixture();
});
afterEach(async () => {
  await Promise.all(lines.splice(0).map((line) => line.close?.()));
  await fixture.close();
});

async function open(change: Partial<AcmeOptions> = {}): Promise<CallerLine> {
  const line = await caller.open({ ...options, ...change });
  lines.push(line);
  return line;
}

test("a call is signed for the runner's public URL, and placed at the runner's own address", async () => {
  const runner = await fixture.open({ publicUrl, apiKey: "a-key-of-16-letters" });
  const line = await open();
  const call: Caller = await line.dial({ url: runner.url, publicUrl });
  await until("the bot runs", () => fixture.calls.length === 1, 5_000);
  expect(fixture.calls[0]?.args.callData?.from).toBe("+15550100");
  await call.hangUp();
  expect(await call.closed).toMatchObject({ code: 1000 });
});

test("a public URL with a path is signed with it, and requested without it, as a proxy does", async () => {
  const prefixed = new URL("https://bots.example.com/bots/");
  const runner = await fixture.open({ publicUrl: prefixed });
  const line = await open();
  const call = await line.dial({ url: runner.url, publicUrl: prefixed });
  await until("the bot runs", () => fixture.calls.length === 1, 5_000);
  await call.hangUp();
  await call.closed;
});

test("a call with another secret is rejected, and one without a secret says how to set it", async () => {
  const runner = await fixture.open({ publicUrl });
  const forged = await open({ key: "another key" });
  await expect(forged.dial({ url: runner.url, publicUrl })).rejects.toMatchObject({
    code: "SIGNATURE_INVALID",
    message: expect.stringContaining("Check that the secret belongs to the account"),
    fix: undefined,
  });
  const unsigned = await open({ key: undefined });
  await expect(unsigned.dial({ url: runner.url, publicUrl })).rejects.toMatchObject({
    code: "SIGNATURE_INVALID",
    fix: "This command did not sign it. To sign like Acme, use the secret of the runner: Set ACME_KEY.",
  });
});

test("the REST API is simulated where the runner's API URL is on this machine, and ends the call", async () => {
  const port = await freePort();
  const line = await open({ apiUrl: `http://localhost:${port}` });
  expect(line.notes).toEqual([]);
  const runner = await fixture.open({ publicUrl, acme: { apiUrl: `http://localhost:${port}` } });
  const call = await line.dial({ url: runner.url, publicUrl });
  await until("the bot runs", () => fixture.calls.length === 1, 5_000);
  fixture.calls[0]?.finish();
  expect(await call.closed).toMatchObject({ code: 1000 });
  await until("the session ends", () => runner.sessions.counts.active === 0, 5_000);
  expect(fixture.logger.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

test("a port that is in use is named, with what to do", async () => {
  const apiUrl = `http://localhost:${await freePort()}`;
  await open({ apiUrl });
  await expect(open({ apiUrl })).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: expect.stringMatching(/^The REST API cannot be simulated: port \d+ is in use\.$/),
    fix: expect.stringContaining("another port"),
  });
});

test.each([
  [200, "text/html", "<html></html>"],
  [500, "text/plain", "failed"],
  [302, "text/plain", ""],
])("a server that answers the webhook with %d %s is not a runner", async (status, type, body) => {
  const server = createServer((_, response) => response.writeHead(status, { "content-type": type }).end(body));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    await expect((await open()).dial({ url })).rejects.toMatchObject({
      code: "RUNNER_UNREACHABLE",
      message: `${url} is not a runner: POST /acme returned ${status}.`,
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test("a REST API elsewhere is not simulated, and the line says so; without credentials there is none", async () => {
  expect((await open()).notes).toEqual([
    "Acme's REST API is not simulated: the runner sends its hang-up to https://api.acme.example. To simulate it, set ACME_API_URL=http://localhost:7870 for both.",
  ]);
  expect((await open({ key: undefined })).notes).toEqual([]);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
