import { resolveOptions } from "@pipecat-ts/runner-core";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { createCallControl } from "./call-control.ts";
import { createAcme } from "./test/acme.ts";

test("a hang-up whose request cannot be made is said once, and keeps nobody from the rest of an ending", async () => {
  const acme = createAcme();
  const logger = createRecordingLogger();
  const { hangUp } = createCallControl({
    carrier: {
      ...acme,
      api: {
        isReady: () => true,
        fix: "Set ACME_KEY.",
        hangUp() {
          throw new URIError("URI malformed");
        },
      },
    },
    options: resolveOptions(acme.options, { env: {} }),
    call: { streamId: "S1", callId: "A1" },
    rest: { send: () => Promise.reject(new Error("nothing is to be sent")), close: async () => undefined },
    logger,
    documentUrl: () => new URL("https://bots.example.com/acme"),
  });
  await hangUp();
  await hangUp();
  expect(logger.lines).toMatchObject([{ level: "error", message: "Acme could not be asked to hang up." }]);
});
