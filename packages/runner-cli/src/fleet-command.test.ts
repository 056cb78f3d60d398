import { expect, onTestFinished, test, vi } from "vitest";
import { fleetCommand } from "./fleet-command.ts";
import { openDirectory, requireFleetSecret } from "./fleet-directory.ts";
import { readGatewayCommand } from "./gateway.ts";
import { findProject } from "./project.ts";

/** An error with this code, and texts in its message and its fix. */
function rejection(message: string, fix: string) {
  const texts = { message: expect.stringContaining(message), fix: expect.stringContaining(fix) };
  return expect.objectContaining({ code: "OPTION_INVALID", ...texts });
}

test("a fleet needs no isolation, and its options need a fleet", () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  const command = readGatewayCommand(["--fleet", "redis://host"], undefined);
  expect(command).toMatchObject({ fleet: { fleet: "redis://host" }, isolation: { isolation: "none" } });
  expect(() => readGatewayCommand(["--fleet-listen", "10.0.0.5:1"], undefined)).toThrow(
    rejection("--fleet-listen or PIPECAT_FLEET_LISTEN configures a fleet", "Add --fleet <url>"),
  );
  expect(() => readGatewayCommand(["--fleet", "redis://host", "--direct"], undefined)).toThrow(
    rejection("--direct runs one bot at a time", "Omit --direct or --fleet."),
  );
  // The same .env file may serve machines that run alone.
  vi.stubEnv("PIPECAT_FLEET_SECRET", "a secret with more than 32 characters");
  expect(readGatewayCommand([], undefined)).toBeUndefined();
});

test("a missing secret and a wrong URL are rejected with their fix, and the URL is not printed", async () => {
  expect(() => requireFleetSecret(undefined)).toThrow(rejection("PIPECAT_FLEET_SECRET", "openssl rand -hex 32"));
  const opening = openDirectory("http://user:password@host", findProject(process.cwd()));
  await expect(opening).rejects.toThrow(rejection("is not the URL of a directory", "redis://host:6379"));
  await expect(opening).rejects.not.toThrow("password");
});

test("pipecat-runner fleet needs a fleet, and drain a node", async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv("PIPECAT_FLEET", "");
  await expect(fleetCommand([])).rejects.toThrow(rejection("The fleet is not named", "PIPECAT_FLEET"));
  await expect(fleetCommand(["drain", "--fleet", "redis://host"])).rejects.toThrow(
    rejection("needs a node", "pipecat-runner fleet drain <node>"),
  );
  await expect(fleetCommand(["darin", "one"])).rejects.toThrow(rejection("darin", ""));
});
