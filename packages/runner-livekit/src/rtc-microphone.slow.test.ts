import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createRtcClient } from "./rtc-client.ts";

const program = fileURLToPath(new URL("test/close-microphones.ts", import.meta.url));
const hasNativePart = createRtcClient().check().state === "ready";

test.skipIf(!hasNativePart)(
  "closing microphones with queued audio does not damage the memory of the process",
  async () => {
    expect(await promisify(execFile)(process.execPath, [program])).toEqual({ stdout: "", stderr: "" });
  },
);
