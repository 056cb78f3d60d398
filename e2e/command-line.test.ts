import { expect, onTestFinished, test } from "vitest";
import { startChildRunner } from "./child-runner.ts";
import { useJourney } from "./journey.ts";
import { openOurPage } from "./our-page.ts";

const { openPage, hearEcho } = useJourney("webrtc");

test.each([
  ["pipecat-runner bot.ts", ["packages/runner-cli/src/main.ts", "apps/echo-bot/bot.ts", "--port", "0"]],
  ["pnpm start", ["scripts/start.ts", "--port", "0"]],
])("%s: open the address it shows, press Connect, and hear yourself", async (_command, args) => {
  const runner = await startChildRunner(args);
  onTestFinished(() => void runner.interrupt());
  const caller = await openPage(runner.origin);
  const ours = await openOurPage(caller, runner.origin);
  expect(await ours.transport.textContent()).toBe("WebRTC");
  await ours.connectToBot();
  await hearEcho(caller);
  const stopped = runner.interrupt();
  await ours.expectNotice(/^The bot or the runner ended the call\./);
  expect(await stopped).toBe(0);
});
