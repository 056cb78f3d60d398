import { until } from "@pipecat-ts/runner-testing";
import { expect } from "vitest";
import type { LogLine, Server } from "../server/server-process.ts";

/** Fails unless the log says so many times that a session ended, for which reasons, and once for each. */
export async function expectEndings(server: Server, expected: Readonly<Record<string, number>>): Promise<void> {
  const total = Object.values(expected).reduce((sum, count) => sum + count, 0);
  await until(`${total} sessions have ended`, () => server.log.filter(isEnding).length >= total, 5_000);
  const lines = server.log.filter(isEnding);
  expect(new Set(lines.map(({ session }) => session)).size).toBe(lines.length);
  const reasons = Object.groupBy(lines, ({ reason }) => reason ?? "");
  expect(Object.fromEntries(Object.entries(reasons).map(([reason, of]) => [reason, of?.length]))).toEqual(expected);
}

/** Whether the line says that a session ended. */
export function isEnding({ msg }: LogLine): boolean {
  return msg.startsWith("session ended");
}
