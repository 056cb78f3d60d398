import { systemClock } from "@pipecat-ts/runner-media";
import { countSettledResources, settleResources } from "@pipecat-ts/runner-testing";
import { type FakeApi, openFakeApi } from "@pipecat-ts/runner-testing/phone";
import { afterEach, expect, test } from "vitest";
import { type ApiRequest, createRest } from "./rest.ts";

const apis: FakeApi[] = [];
afterEach(async () => {
  for (const api of apis.splice(0)) await api.close();
});

/** Answers with these statuses, one after the other; `undefined` answers nothing. */
async function open(...statuses: readonly (number | undefined)[]): Promise<FakeApi> {
  const left = [...statuses];
  const api = await openFakeApi(() => {
    const status = left.shift();
    return status === undefined ? undefined : { status, body: '{"number":"+15550100"}' };
  });
  apis.push(api);
  return api;
}

function request(api: FakeApi, fields: Partial<ApiRequest> = {}): ApiRequest {
  const url = new URL("/calls/CA1?key=secret", api.url);
  return { method: "POST", url, headers: { authorization: "Bearer secret" }, body: "over=1", ...fields };
}

test("sends method, path, headers and body, and answers with the carrier's answer", async () => {
  const api = await open(201);
  const answer = await createRest("Acme", systemClock).send("hang up", request(api), 2);
  expect(answer).toEqual({ status: 201, body: '{"number":"+15550100"}' });
  expect(api.requests).toMatchObject([
    { method: "POST", path: "/calls/CA1?key=secret", body: "over=1", headers: { authorization: "Bearer secret" } },
  ]);
});

test.each([[500], [503], [429]])("a %i is tried once more, half a second later", async (status) => {
  const api = await open(status, 200);
  await createRest("Acme", systemClock).send("hang up", request(api), 2);
  expect(api.requests).toHaveLength(2);
  expect((api.requests[1]?.atMs ?? 0) - (api.requests[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(490);
});

test("so is a network that fails; a second failure is told without what is private", async () => {
  const api = await open();
  const url = new URL(api.url);
  await api.close();
  apis.length = 0;
  const error = await createRest("Acme", systemClock)
    .send("hang up", { ...request(api), url: new URL("/calls/CA1?key=secret", url) }, 2)
    .catch((failure) => failure);
  expect(error).toMatchObject({ code: "CARRIER_REFUSED", status: 502 });
  expect(error.message).toMatch(/^Acme did not hang up: .*ECONNREFUSED/);
  expect(JSON.stringify([error.message, error.fix])).not.toMatch(/secret|CA1|5550100/);
});

test.each([400, 401, 404])("a %i is not tried again, and told", async (status) => {
  const api = await open(status, 200);
  const sending = createRest("Acme", systemClock).send("hang up", request(api), 2);
  await expect(sending).rejects.toMatchObject({
    code: "CARRIER_REFUSED",
    message: `Acme did not hang up: status ${status}.`,
    fix: status === 401 ? expect.stringContaining("credentials") : expect.stringContaining("log"),
  });
  expect(api.requests).toHaveLength(1);
});

test("what the request knows as done already is success", async () => {
  const api = await open(404);
  const isDone = (status: number, body: string) => status === 404 && body.includes("number");
  await createRest("Acme", systemClock).send("hang up", request(api, { isDone }), 2);
});

test("a try has 5 s", async () => {
  const api = await open(undefined, 200);
  const timers: { readonly ms: number; readonly callback: () => void }[] = [];
  const clock = {
    now: systemClock.now,
    after(ms: number, callback: () => void) {
      timers.push({ ms, callback });
      return () => undefined;
    },
  };
  const sending = createRest("Acme", clock).send("hang up", request(api), 2);
  await expect.poll(() => api.requests.length).toBe(1);
  expect(timers.map(({ ms }) => ms)).toEqual([5_000]);
  timers[0]?.callback();
  await expect.poll(() => timers.length).toBe(2);
  timers[1]?.callback();
  await sending;
  expect(api.requests).toHaveLength(2);
});

test("closing waits for what is under way, then gives it up, and leaves nothing open", async () => {
  const before = await countSettledResources();
  const api = await open(undefined, undefined);
  const rest = createRest("Acme", systemClock);
  const sending = rest.send("hang up", request(api), 2);
  sending.catch(() => undefined);
  await expect.poll(() => api.requests.length).toBe(1);
  await rest.close(50);
  await expect(sending).rejects.toMatchObject({ code: "CARRIER_REFUSED" });
  await api.close();
  apis.length = 0;
  expect(await settleResources(before)).toEqual([]);
  await rest.close(50);
});
