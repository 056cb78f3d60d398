import { createReadStream } from "node:fs";
import { extname, join } from "node:path";
import { until } from "@pipecat-ts/runner-testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BarePage, buildBarePage } from "./bare-page.ts";
import type { CallerPage } from "./caller-page.ts";
import { useJourney } from "./journey.ts";
import type { RunningRunner } from "./running-runner.ts";

const { echoBot, start, openPage, hearEcho, expectEnded } = useJourney();

let bare: BarePage;
beforeAll(async () => {
  bare = await buildBarePage();
});
afterAll(() => bare?.[Symbol.asyncDispose]());

/** A call from a page of the user's own, served by a route of the user's own, with the published client. */
async function call(): Promise<{ running: RunningRunner; caller: CallerPage }> {
  const running = await start(echoBot, {}, ({ router }) =>
    router.get("/mine/*path", (ctx) => {
      const path = String(ctx.params.path);
      ctx.type = extname(path);
      ctx.body = createReadStream(join(bare.folder, path));
    }),
  );
  const caller = await openPage(running.origin);
  await caller.page.goto(`${running.origin}/mine/bare.html`);
  await caller.page.waitForFunction("globalThis.client");
  expect(
    await caller.page.evaluate(
      `client.startBotAndConnect({ endpoint: "/start", requestData: { transport: "websocket" } })`,
    ),
  ).toMatchObject({ version: expect.stringMatching(/^2\./) });
  return { running, caller };
}

/** What the client said of events called `name`. */
function events({ page }: CallerPage, name: string): Promise<unknown[]> {
  return page.evaluate(`events.filter(({ event }) => event === "${name}").map(({ data }) => data ?? null)`);
}

test("the published client becomes ready and hears the caller's own voice", async () => {
  const { running, caller } = await call();
  expect(await caller.page.evaluate("client.state")).toBe("ready");
  expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  await hearEcho(caller);
});

test("text is answered, and a client message interrupts the bot, which goes on afterwards", async () => {
  const { caller } = await call();
  await caller.page.evaluate(`client.sendText("Good morning")`);
  await caller.page.waitForFunction(`events.some(({ event }) => event === "botOutput")`);
  expect(await events(caller, "botOutput")).toMatchObject([{ text: "You wrote: Good morning" }]);
  expect(caller.interruptions()).toBe(0);
  await caller.page.evaluate(`client.sendClientMessage("interrupt")`);
  await until("the server says that its audio is void", () => caller.interruptions() === 1, 2_000);
  await hearEcho(caller);
  expect(await events(caller, "messageError")).toEqual([]);
});

test("disconnecting ends the session", async () => {
  const { running, caller } = await call();
  await caller.page.evaluate("client.disconnect()");
  await expectEnded(running);
});

test("a page that dies ends its session", async () => {
  const { running, caller } = await call();
  await caller.kill();
  await expectEnded(running);
});
