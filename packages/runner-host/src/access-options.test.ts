import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { accessFlags, createAccessOptions } from "./access-options.ts";

test("who may call is read from the environment, and a flag counts more", () => {
  const env = {
    PIPECAT_RUNNER_API_KEY: "sixteen-characters",
    PIPECAT_WEBSOCKET_AUTH: "token",
    PIPECAT_WEBSOCKET_SECRET: "sixteen-characters-too",
    PIPECAT_ALLOWED_ORIGINS: "https://App.example.com/, capacitor://localhost",
  };
  expect(createAccessOptions(resolveOptions(accessFlags, { env }))).toEqual({
    apiKey: "sixteen-characters",
    webSocketAuth: "token",
    webSocketSecret: "sixteen-characters-too",
    allowedOrigins: ["https://App.example.com", "capacitor://localhost"],
  });
  expect(resolveOptions(accessFlags, { given: { webSocketAuth: "none" }, env }).webSocketAuth).toBe("none");
});
