import { setTimeout as sleep } from "node:timers/promises";
import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import { createRunner } from "@pipecat-ts/runner-host";
import { expect, test } from "vitest";
import { createRecordingLogger } from "../../runner-testing/src/index.ts";
import { testPhoneCall } from "../../runner-testing/src/phone.ts";
import type { PhoneDialect } from "./caller/index.ts";
import { createFakeCarrier } from "./caller/index.ts";
import type { Carrier } from "./carrier.ts";
import { createTelephonyPlugin } from "./plugin.ts";
import { type AcmeOptions, createAcme, createAcmeDialect } from "./test/acme.ts";
import { element, xmlDocument } from "./xml.ts";

const socketPath = "/beam/media";
const publicUrl = new URL("https://bots.example.com");

/** A carrier with binary audio at 16,000 Hz, a codec that loads for 50 ms, a socket path of its own, no marks, and PATCH requests. */
function createBeam(codecs = { live: 0, created: 0 }): Carrier<AcmeOptions> {
  const { wire, webhook, api, ...acme } = createAcme("beam");
  if (!api) throw new Error("Acme has an API");
  return {
    ...acme,
    wire: {
      ...wire,
      socketPath,
      createCodec(start, call, options) {
        const { encodeMark: _, ...codec } = wire.createCodec(start, call, options);
        codecs.live += 1;
        codecs.created += 1;
        let isReady = false;
        return {
          ...codec,
          ready: sleep(50).then(() => {
            isReady = true;
          }),
          close() {
            codecs.live -= 1;
          },
          callerSampleRate: 16_000,
          botSampleRate: 16_000,
          frameMs: 20,
          decodeBinary: (bytes) => ({ kind: "audio", samples: decodePcm16(bytes) }),
          encodeAudio(samples) {
            if (!isReady) throw new Error("The codec is not loaded.");
            return encodePcm16(samples);
          },
        };
      },
    },
    webhook: {
      ...webhook,
      answer: ({ call, socketUrl }) => xmlDocument(element("Go", { to: socketUrl().href, call: call?.callId })),
    },
    api: { ...api, hangUp: (call, options) => ({ ...api.hangUp(call, options), method: "PATCH" }) },
  };
}

function createBeamDialect(): PhoneDialect {
  const acme = createAcmeDialect("beam");
  return {
    ...acme,
    socketPath,
    createFarEnd(facts) {
      if (facts.document !== "") expect(facts.document).toContain(`call="${facts.callId}"`);
      return {
        ...acme.createFarEnd(facts),
        sampleRate: 16_000,
        audio: encodePcm16,
        parse: ({ event }) => (event === "clear" ? { clear: true } : { protocolError: `the event is ${event}` }),
        parseBinary: (bytes) => ({ audio: { samples: decodePcm16(bytes), sampleRate: 16_000 } }),
      };
    },
  };
}

test("a whole call with binary audio, on a socket path of its own, without marks", async () => {
  const carrier = createFakeCarrier(createBeamDialect());
  const api = await carrier.openApi();
  const codecs = { live: 0, created: 0 };
  try {
    await testPhoneCall({
      plugin: createTelephonyPlugin(createBeam(codecs)),
      options: { key: "a key", apiUrl: api.url },
      carrier,
      api,
      runner: { publicUrl },
      call: { publicUrl },
      levelToleranceDb: 1,
    });
    expect(codecs).toEqual({ live: 0, created: 1 });
    expect(api.requests).toMatchObject([{ method: "PATCH" }]);
  } finally {
    await api.close();
  }
});

test("a process that is late when the caller interrupts the bot is not counted against the carrier", async () => {
  const { wire, ...acme } = createAcme("acme");
  const carrier = createFakeCarrier(createAcmeDialect("acme"));
  await testPhoneCall({
    plugin: createTelephonyPlugin({
      ...acme,
      wire: {
        ...wire,
        createCodec(start, call, options) {
          const codec = wire.createCodec(start, call, options);
          return {
            ...codec,
            encodeClear() {
              for (const untilMs = performance.now() + 60; performance.now() < untilMs; );
              return codec.encodeClear?.() ?? "";
            },
          };
        },
      },
    }),
    options: {},
    carrier,
    levelToleranceDb: 1,
  });
});

test("a bare socket on a path of its own reaches its carrier only", async () => {
  const started: string[] = [];
  const runner = createRunner({
    async bot(args) {
      started.push(args.transport);
    },
    // The start messages of the two carriers are the same.
    plugins: [createTelephonyPlugin(createAcme("acme")), createTelephonyPlugin({ ...createBeam(), name: "acme2" })],
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
  });
  await runner.listen();
  try {
    for (const path of ["/ws", socketPath]) {
      const { webhook: _, ...dialect } = path === "/ws" ? createAcmeDialect("acme") : createBeamDialect();
      const phone = await createFakeCarrier(dialect).call({ at: runner.url });
      await phone.closed;
    }
    expect(started).toEqual(["acme", "acme2"]);
  } finally {
    await runner.close();
  }
});
