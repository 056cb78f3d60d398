import { createTransport, type RunnerArguments } from "@pipecat-ts/runner-core";
import { countSettledResources, send, settleResources, until } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { createPhone } from "./test/phone.ts";
import { openStage, type Stage } from "./test/stage.ts";

vi.setConfig({ testTimeout: 90_000 });
const patienceMs = 20_000;

async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, { webrtc: () => ({}) });
  await Promise.race([transport.closed, new Promise((resolve) => args.session.onRequest(resolve))]);
}

async function callIn({ runner, graph }: Stage) {
  const phone = await createPhone(runner, graph);
  await phone.ring();
  await phone.answered();
  await until("the bot runs", () => runner.sessions.counts.active > 0, patienceMs);
  const [session] = [...runner.sessions];
  return { phone, sessionId: session?.id ?? "" };
}

test("calls leave nothing open, however they end", async () => {
  const stage = await openStage(bot);
  const { runner, graph } = stage;

  async function over(): Promise<void> {
    await until("the session is over", () => [...runner.sessions].length === 0, patienceMs);
  }
  async function endedByCaller(): Promise<void> {
    const { phone } = await callIn(stage);
    await phone.hangUp();
    await over();
    await phone.putAway();
  }
  async function endedByBot(): Promise<void> {
    const { phone, sessionId } = await callIn(stage);
    await send(new URL(`/sessions/${sessionId}/finish`, runner.url));
    await over();
    await phone.putAway();
  }
  async function refused(): Promise<void> {
    graph.reply = ({ body }) => (body.action === "accept" ? { status: 400 } : {});
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await until("it is refused", () => graph.actions.at(-1) === "terminate", patienceMs);
    await over();
    await phone.putAway();
    graph.reply = () => ({});
  }

  await endedByCaller();
  const before = await countSettledResources();
  for (const call of [endedByCaller, endedByBot, refused, endedByCaller, endedByBot, refused]) await call();
  expect(await settleResources(before, 15_000)).toEqual([]);
});
