import { expect, test, vi } from "vitest";
import { readGatewayCommand } from "./gateway.ts";

const label = "--worker-sessions or PIPECAT_RUNNER_WORKER_SESSIONS";

test("options of workers require isolation, as flags and as variables", () => {
  const error = { code: "OPTION_INVALID", fix: `Add --isolation process, or omit ${label}.` };
  expect(() => readGatewayCommand(["--worker-sessions", "4"], undefined)).toThrow(expect.objectContaining(error));
  vi.stubEnv("PIPECAT_RUNNER_WORKER_SESSIONS", "4");
  expect(() => readGatewayCommand([], undefined)).toThrow(expect.objectContaining(error));
  expect(readGatewayCommand(["--isolation", "process"], undefined)?.isolation.workerSessions).toBe(4);
  vi.unstubAllEnvs();
  expect(readGatewayCommand([], undefined)).toBeUndefined();
});
