import { createTransport, type RunnerArguments } from "@pipecat-ts/runner-core";
import { countSettledResources, send, settleResources, until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { type Fixture, openFixture } from "./test/fixture.ts";
import { createPhone } from "./test/phone.ts";

const timeoutMs = 20_000;

async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, { webrtc: () => ({}) });
  await Promise.race([transport.closed, new Promise((resolve) => args.session.onRequest(resolve))]);
}

async function call({ runner, api }: Fixture) {
  const phone = await createPhone(runner, api);
  await phone.ring();
  await phone.answered();
  await until("the bot runs", () => runner.sessions.counts.active > 0, timeoutMs);
  const [session] = [...runner.sessions];
  return { phone, sessionId: session?.id ?? "" };
}

test("calls leave nothing open, however they end", { timeout: 90_000 }, async () => {
  const fixture = await openFixture(bot);
  const { runner, api } = fixture;

  async function sessionEnded(): Promise<void> {
    await until("the session has ended", () => [...runner.sessions].length === 0, timeoutMs);
  }
  async function endedByCaller(): Promise<void> {
    const { phone } = await call(fixture);
    await phone.hangUp();
    await sessionEnded();
    await phone.close();
  }
  async function endedByBot(): Promise<void> {
    const { phone, sessionId } = await call(fixture);
    await send(new URL(`/sessions/${sessionId}/finish`, runner.url));
    await sessionEnded();
    await phone.close();
  }
  async function refusedByWhatsApp(): Promise<void> {
    api.reply = ({ body }) => (body.action === "accept" ? { status: 400 } : {});
    const phone = await createPhone(runner, api);
    await phone.ring();
    await until("it is terminated", () => api.actions.at(-1) === "terminate", timeoutMs);
    await sessionEnded();
    await phone.close();
    api.reply = () => ({});
  }

  await endedByCaller();
  const before = await countSettledResources();
  for (const run of [endedByCaller, endedByBot, refusedByWhatsApp, endedByCaller, endedByBot, refusedByWhatsApp])
    await run();
  expect(await settleResources(before, 15_000)).toEqual([]);
});
