import { setTimeout as sleep } from "node:timers/promises";
import { loadSdk } from "../rtc-client.ts";
import { createRtcMicrophone } from "../rtc-microphone.ts";

/** How often the native part reads the queue of a microphone, in ms. */
const readIntervalMs = 10;

/**
 * Closes microphones with queued audio while the native part reads their queues. If it reads or writes freed memory, this process
 * aborts.
 */
const sdk = loadSdk();
const audio = new Int16Array(48_000).fill(1_000);
for (let count = 0; count < 250; count++) {
  const openedAt = performance.now();
  const microphone = createRtcMicrophone(sdk, "microphone", 48_000);
  microphone.send(audio);
  await sleep(readIntervalMs / 2);
  const reads = Math.ceil((performance.now() - openedAt) / readIntervalMs);
  const closeAt = openedAt + reads * readIntervalMs + (count % 30) / 50 - 0.5;
  while (performance.now() < closeAt); // More exact than a timer. Around the read, because opening takes time.
  await microphone.close();
}
await sdk.dispose();
