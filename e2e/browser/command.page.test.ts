import { expect, onTestFinished, test } from "vitest";
import { startCommand } from "../server/command.ts";
import { useBrowser } from "./fixture.ts";
import { openWebClient } from "./web-client.ts";

const { openPage, expectEcho } = useBrowser().over("webrtc");

test.each([
  ["pipecat-runner bot.ts", ["packages/runner-cli/src/main.ts", "apps/echo-bot/bot.ts", "--port", "0"]],
  ["pnpm start", ["scripts/start.ts", "--port", "0"]],
])("%s prints an address with a page whose Connect button calls the bot", async (_command, args) => {
  const runner = await startCommand(args);
  onTestFinished(() => void runner.interrupt());
  const caller = await openPage(runner.origin);
  const client = await openWebClient(caller, runner.origin);
  expect(await client.transport.textContent()).toBe("WebRTC");
  await client.connectToBot();
  await expectEcho(caller);
  const stopped = runner.interrupt();
  await client.expectNotice(/^The bot or the runner ended the call\./);
  expect(await stopped).toBe(0);
});
