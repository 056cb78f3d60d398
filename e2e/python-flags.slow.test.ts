import { expect, onTestFinished, test } from "vitest";
import { startCommand } from "./server/command.ts";

test("Pipecat's -t eval and lists of servers and origins after one flag start a runner with the WebSocket transport", async () => {
  const origins = ["https://a.example", "https://b.example"];
  const command = await startCommand([
    ...["packages/runner-cli/src/main.ts", "apps/echo-bot/bot.ts", "--port", "0", "-t", "eval"],
    ...["--ice-servers", "stun:a.example", '{"urls": "turn:b.example", "username": "u", "credential": "c"}'],
    ...["--allowed-origins", ...origins],
  ]);
  onTestFinished(async () => void (await command.interrupt()));
  const status = await (await fetch(`${command.origin}/status`)).json();
  expect(status).toEqual({ status: "ready", transports: ["websocket"] });
  for (const origin of [...origins, "https://c.example"]) {
    const { status } = await fetch(`${command.origin}/status`, { headers: { origin } });
    expect(status).toBe(origins.includes(origin) ? 200 : 403);
  }
});

test("several ICE servers after one flag reach the clients", async () => {
  const command = await startCommand([
    ...["packages/runner-cli/src/main.ts", "apps/echo-bot/bot.ts", "--port", "0", "-t", "webrtc"],
    ...["--ice-servers", "stun:a.example", "stun:b.example"],
  ]);
  onTestFinished(async () => void (await command.interrupt()));
  const response = await fetch(`${command.origin}/start`, { method: "POST", body: "{}" });
  const { iceConfig } = (await response.json()) as { readonly iceConfig: object };
  expect(JSON.stringify(iceConfig)).toMatch(/stun:a\.example.*stun:b\.example/);
});
