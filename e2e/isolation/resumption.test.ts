import { createTransport } from "@pipecat-ts/runner-core";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { expect, test } from "vitest";
import { startGateway } from "../../packages/runner-gateway/src/test/fixture.ts";
import { connectCaller } from "../../packages/runner-websocket/src/caller.ts";

test("a caller that lost its connection returns to its bot in the same worker", async () => {
  let bots = 0;
  const host = await startGateway(
    {},
    {
      async bot(args) {
        const bot = ++bots;
        const transport = await createTransport(args, { websocket: () => ({}) });
        transport.on("appMessage", (message) => void transport.sendMessage({ bot, message }));
        await transport.closed;
      },
      plugins: [websocket],
    },
  );
  await using _ = host;
  const start = async () => {
    const response = await host.fetch("/start", {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: '{"transport":"websocket"}',
    });
    return `${Object(await response.json()).wsUrl}?resume=a-secret-of-22-letters`;
  };
  const [url, otherUrl] = [await start(), await start()];
  const caller = await connectCaller(url);
  caller.sendMessage("first");
  await expect.poll(() => caller.messages).toEqual([{ bot: 1, message: "first" }]);
  const other = await connectCaller(otherUrl);
  expect(host.workers.runners.filter(({ sessions }) => sessions.counts.active === 1)).toHaveLength(2);

  caller.drop();
  const returned = await connectCaller(url);
  returned.sendMessage("second");
  await expect.poll(() => returned.messages).toEqual([{ bot: 1, message: "second" }]);
  await Promise.all([returned.hangUp(), other.hangUp()]);
  await expect.poll(() => host.workers.runners.map(({ sessions }) => sessions.counts.active)).not.toContain(1);
});
