/** Pipecat's own runner with an echo bot, in a process of its own on the same core. */
import { installPipecat } from "../../scripts/python.ts";
import { answerParent } from "../children.ts";
import { startPython } from "../parity/runners.ts";
import { readProcess } from "../usage.ts";

/** Not the credentials of anybody: its runner wants some before it accepts a call. */
const env = {
  TWILIO_ACCOUNT_SID: "AC00000000000000000000000000000001",
  TWILIO_AUTH_TOKEN: "none",
  LOGURU_LEVEL: "WARNING",
};
const { origin, pid } = await startPython(installPipecat(), [], env);
// At once: at the end of a phone call, it would ask Twilio to hang up.
process.on("exit", () => process.kill(pid, "SIGKILL"));
let cpuMs = 0;
let atMs = performance.now();

answerParent(({ ask }) => {
  if (ask !== "usage") {
    const socket = origin.replace("http", "ws");
    return { url: `${socket}/ws-client`, phoneUrl: `${socket}/ws`, offerUrl: `${origin}/api/offer` };
  }
  const used = readProcess(pid);
  const elapsedMs = performance.now() - atMs;
  const cpuPercent = (100 * (used.cpuMs - cpuMs)) / elapsedMs;
  [cpuMs, atMs] = [used.cpuMs, performance.now()];
  return { cpuPercent, rssMb: used.pssMb };
});
