import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { expect, onTestFinished, test } from "vitest";
import { startBrowser } from "./chromium.ts";

const apiKey = "sixteen-characters";

test("/docs asks for the API key, and shows the routes without contacting another host", async () => {
  const plugins = [webrtc, websocket] as never[];
  const logger = createRecordingLogger();
  const runner = createRunner({ bot: () => undefined, plugins, port: 0, apiKey, env: {}, logger });
  await runner.listen();
  onTestFinished(() => runner.close());
  const running = await startBrowser(220);
  onTestFinished(() => running[Symbol.asyncDispose]());
  const page = await running.browser.newPage();
  const hosts = new Set<string>();
  const problems: string[] = [];
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("401")) problems.push(message.text());
  });

  await page.goto(new URL("/docs/", runner.url).href);
  expect(page.url()).toBe(new URL("/docs", runner.url).href);
  await page.getByText("This server requires its API key.").waitFor();
  expect(await page.locator("details").count()).toBe(0);
  await page.getByLabel("API key").fill(apiKey);
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByRole("heading", { name: "webrtc" }).waitFor();
  const offer = page.locator("details").filter({ hasText: "POST /sessions/{sessionId}/api/offer" });
  await offer.getByText("Answers an SDP offer").click();
  await offer.getByText('"maxLength": 1000000').waitFor();
  expect(await offer.getByText("Requires the API key.").isVisible()).toBe(true);
  expect(await page.getByText("/ws-client/{credential}").count()).toBe(1);
  expect([[...hosts].filter((host) => host !== ""), problems]).toEqual([[runner.url.host], []]);
});
