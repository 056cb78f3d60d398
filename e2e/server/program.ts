/**
 * The child process of `startServer`: a whole runner with the example bot. It logs JSON to stdout, answers its parent's
 * questions, stops on signals, and exits when its parent disconnects.
 */
import { mock } from "node:test";
import { clientRoot } from "@pipecat-ts/browser-client";
import { createFileStorage } from "@pipecat-ts/runner-files";
import { createLogger, createRunner } from "@pipecat-ts/runner-host";
import { handleUncaughtErrors, stopOnSignals } from "../../packages/runner-cli/src/process-events.ts";
import { bot } from "./bot.ts";
import type { Answers, Question } from "./messages.ts";
import { createMeter } from "./meter.ts";
import type { ServerOptions } from "./server.ts";

const meter = createMeter();
const logger = createLogger();
const installed = {
  websocket: () => import("@pipecat-ts/runner-websocket/plugin"),
  webrtc: () => import("@pipecat-ts/runner-webrtc/plugin"),
  twilio: () => import("@pipecat-ts/runner-telephony-twilio/plugin"),
  telnyx: () => import("@pipecat-ts/runner-telephony-telnyx/plugin"),
  plivo: () => import("@pipecat-ts/runner-telephony-plivo/plugin"),
  exotel: () => import("@pipecat-ts/runner-telephony-exotel/plugin"),
  vonage: () => import("@pipecat-ts/runner-telephony-vonage/plugin"),
  daily: () => import("@pipecat-ts/runner-daily/plugin"),
  whatsapp: () => import("@pipecat-ts/runner-whatsapp/plugin"),
};
const {
  transports = ["websocket"],
  uploadsFolder: folder,
  ...options
} = JSON.parse(process.argv[2] ?? "{}") as ServerOptions;
const imports = transports === "all" ? Object.values(installed) : transports.map((name) => installed[name]);
const plugins = (await Promise.all(imports.map((load) => load()))).map((module) => module.default);
const runner = createRunner({
  maxSessions: Number.POSITIVE_INFINITY,
  ...options,
  ...(folder !== undefined && { fileStorage: createFileStorage({ folder }) }),
  bot(args) {
    meter.watch(args);
    return bot(args);
  },
  plugins: [...plugins, meter.plugin],
  host: "127.0.0.1",
  port: 0,
  clientRoot,
  env: {},
  logger,
});
handleUncaughtErrors(runner, logger, () => process.exit(1), process);

const answers: { readonly [Ask in keyof Answers]: (question: Question) => Answers[Ask] | Promise<Answers[Ask]> } = {
  port: () => Number(runner.url.port),
  counts: () => runner.sessions.counts,
  holdings: meter.measure,
  endPending: () =>
    Promise.all([...runner.sessions].map((session) => session.state === "pending" && session.end("ended-by-request"))),
  endLater: () => Promise.all([...runner.sessions].slice(1).map((session) => session.end("ended-by-request"))),
  pollution: () => Object.keys(Object.prototype),
  stopTime: () => mock.timers.enable({ apis: ["setTimeout"] }),
  passTime: ({ ms = 0 }) => mock.timers.tick(ms),
  restoreTime: () => mock.timers.reset(),
};

process.on("message", async (question: Question) => process.send?.({ answer: await answers[question.ask](question) }));
process.once("disconnect", () => void runner.close());
void stopOnSignals(runner, logger, process).then(() => process.connected && process.disconnect());
await runner.listen();
process.send?.({ answer: "ready" });
