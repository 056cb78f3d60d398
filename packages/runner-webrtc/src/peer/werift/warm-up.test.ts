import { countSettledResources, createRecordingLogger, settleResources } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { warmUp } from "./warm-up.ts";

test("creates the certificate that all calls share, and leaves nothing open", async () => {
  const { RTCDtlsTransport } = await import("werift");
  const before = await countSettledResources();
  const logger = createRecordingLogger();
  await warmUp(logger);
  expect(RTCDtlsTransport.localCertificate).toBeDefined();
  expect(logger.lines).toEqual([]);
  expect(await settleResources(before)).toEqual([]);
});
