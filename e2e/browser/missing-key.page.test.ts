import { describe, test } from "vitest";
import { bot as cascadeBot } from "../../apps/cascade-bot/bot.ts";
import { bot as geminiBot } from "../../apps/gemini-bot/bot.ts";
import { bot as realtimeBot } from "../../apps/realtime-bot/bot.ts";
import { useBrowser } from "./fixture.ts";
import { openWebClient } from "./web-client.ts";

const browser = useBrowser();

describe.each(["websocket", "webrtc"] as const)("over %s", (transport) => {
  const { start, openPage, expectEnded } = browser.over(transport);

  test.each([
    ["OPENAI_API_KEY", realtimeBot],
    ["GEMINI_API_KEY", geminiBot],
    ["DEEPGRAM_API_KEY", cascadeBot],
  ])("the page names a missing %s", async (name, bot) => {
    const running = await start(bot);
    const client = await openWebClient(await openPage(running.origin), running.origin);
    await client.connect.click();
    await client.expectNotice(new RegExp(`^The bot reported: ${name} is not set`));
    await expectEnded(running);
  });
});
