import * as Type from "typebox";
import { expect, onTestFinished, test, vi } from "vitest";
import { secretsOf } from "./prepare-runner.ts";

test("the secrets of captures are those of the runner and of every transport, from flags and the environment", () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv("PIPECAT_RUNNER_API_KEY", undefined);
  vi.stubEnv("PIPECAT_WEBSOCKET_SECRET", "secret-of-the-tokens");
  vi.stubEnv("FAKE_TOKEN", "token-of-the-fake");
  const text = { description: "A text", schema: Type.String() };
  const options = {
    token: { ...text, env: "FAKE_TOKEN", secret: true },
    password: { ...text, flag: "fake-password", secret: true },
    greeting: { ...text, default: "hello, nice to meet you" },
  };
  const plugin = { apiVersion: 1, name: "fake", options, open: () => ({}) } as const;
  const secrets = secretsOf({
    found: { plugins: [plugin], failures: [], missing: [], duplicates: [], botOptions: undefined },
    given: { apiKey: "key-of-the-runner" },
    pluginOptions: { fake: { password: "password-of-the-fake" } },
  });
  expect(secrets.toSorted()).toEqual([
    "key-of-the-runner",
    "password-of-the-fake",
    "secret-of-the-tokens",
    "token-of-the-fake",
  ]);
});
