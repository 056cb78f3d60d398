/** For tests: a process that opens a runner, sends it offers one after the other, and reports to its parent how many ms each answer took. */
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, send } from "@pipecat-ts/runner-testing";
import { sendOffer } from "../caller.ts";
import { chromium } from "../peer/test/offers.ts";
import plugin from "../plugin.ts";

const runner = createRunner({ bot: () => undefined, plugins: [plugin], port: 0, logger: createRecordingLogger() });
await runner.listen();
// Loads the HTTP client, whose first request is slow.
await send(new URL("/status", runner.url));
const times: number[] = [];
for (let offer = 0; offer < 8; offer++) {
  const sentAt = performance.now();
  await sendOffer(new URL("/api/offer", runner.url), { sdp: chromium });
  times.push(performance.now() - sentAt);
}
process.send?.(times);
await runner.close();
