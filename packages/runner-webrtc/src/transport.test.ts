import { createPacer } from "@pipecat-ts/runner-media";
import { createRecordingLogger, cut, tone, until, within } from "@pipecat-ts/runner-testing";
import { describe, expect, onTestFinished, test } from "vitest";
import type { WebRTCParams } from "./arguments.ts";
import { type Connection, createConnection } from "./connection.ts";
import { createWebRTCTransport } from "./index.ts";
import { createPeerCaller } from "./peer/werift/test/peer-caller.ts";
import { openTransport } from "./transport.ts";
import { loadOpus, type Opus, type OpusEncoderOptions } from "./voice/opus.ts";

const patienceMs = 10_000;

test("carries a call that is signalled without a runner", { timeout: 30_000 }, async () => {
  const { transport, connection } = await createWebRTCTransport({ logger: createRecordingLogger() });
  onTestFinished(() => transport.close("shutdown"));
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const { sdp, pcId } = await connection.answer({ sdp: await caller.offer() });
  await caller.accept(sdp);
  await caller.connected(patienceMs);
  expect([connection.pcId, connection.state]).toEqual([pcId, "connected"]);

  const opus = await loadOpus();
  const encoder = await opus.createEncoder({ sampleRate: 16_000 });
  onTestFinished(() => encoder.free());
  const [frame] = cut(tone(440, { durationMs: 20 }));
  const heard: number[] = [];
  void transport.input.pipeTo(new WritableStream({ write: ({ sampleRate }) => void heard.push(sampleRate) }));
  await until(
    "the caller is heard",
    () => {
      if (frame) caller.sendAudio(encoder.encode(frame.samples));
      return heard.length > 0;
    },
    patienceMs,
  );
  expect(heard[0]).toBe(16_000);
  const before = caller.packets.length;
  await transport.play(tones()).done;
  await until("the bot is heard", () => caller.packets.length >= before + 5, patienceMs);
  await transport.sendMessage("good day");
  await until("the message arrives", () => caller.texts.includes('"good day"'), patienceMs);

  caller.channel?.close();
  expect(await within("the connection tells that the caller left", connection.left, patienceMs)).toBe("caller-left");
});

test("a message that is sent before any offer waits for the caller", { timeout: 30_000 }, async () => {
  const { transport, connection } = await createWebRTCTransport({ logger: createRecordingLogger() });
  onTestFinished(() => transport.close("shutdown"));
  const sent = transport.sendMessage("hi");
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const { sdp } = await connection.answer({ sdp: await caller.offer() });
  await caller.accept(sdp);
  await within("it is sent", sent, patienceMs);
  await until("it arrives", () => caller.texts.includes('"hi"'), patienceMs);
});

test("is closed also where no offer came", async () => {
  const { transport, connection } = await createWebRTCTransport({ logger: createRecordingLogger() });
  await transport.close();
  await expect(connection.answer({ sdp: "v=0" })).rejects.toMatchObject({ code: "CALL_ENDED" });
});

describe("what is said of the bot's voice", () => {
  /** Opens a transport whose wire stands, has it speak, and resolves with what its encoder was made with. */
  async function encoderOf(params: WebRTCParams): Promise<Readonly<Record<string, unknown>>> {
    const { promise: asked, resolve } = Promise.withResolvers<OpusEncoderOptions>();
    const opus = await loadOpus();
    const createEncoder: Opus["createEncoder"] = async (options) => {
      resolve(options);
      return await opus.createEncoder(options);
    };
    const [pacer, logger] = [createPacer(), createRecordingLogger()];
    const callerTimeoutMs = 10_000;
    const connection = createConnection({ sessionId: "s", iceServers: [], opus, pacer, logger, callerTimeoutMs });
    const connected: Connection = {
      ...connection,
      attach(caller, sampleRate) {
        connection.attach(caller, sampleRate);
        caller.connected();
      },
    };
    const transport = openTransport({ connection: connected, params, opus: { ...opus, createEncoder }, pacer, logger });
    onTestFinished(() => transport.close("shutdown"));
    return { ...(await within("it speaks", asked, patienceMs)) };
  }

  test("its bitrate, complexity and pauses are those of its encoder", async () => {
    expect(await encoderOf({ audioOutBitrate: 6_000, audioOutComplexity: 10, audioOutDtx: true })).toMatchObject({
      bitrate: 6_000,
      complexity: 10,
      dtx: true,
    });
    expect(await encoderOf({ audioOutBitrate: 510_000, audioOutComplexity: 0 })).toMatchObject({
      bitrate: 510_000,
      complexity: 0,
      dtx: undefined,
    });
    expect(await encoderOf({})).toMatchObject({ bitrate: undefined, complexity: undefined, dtx: undefined });
  });

  test.each([
    [{ audioOutBitrate: 5_999 }, "audioOutBitrate cannot be 5999", "from 6000 to 510000"],
    [{ audioOutBitrate: 510_001 }, "audioOutBitrate cannot be 510001", "from 6000 to 510000"],
    [{ audioOutBitrate: Number.NaN }, "audioOutBitrate cannot be NaN", "from 6000 to 510000"],
    [{ audioOutComplexity: 11 }, "audioOutComplexity cannot be 11", "from 0 to 10"],
    [{ audioOutComplexity: -1 }, "audioOutComplexity cannot be -1", "from 0 to 10"],
    [{ audioOutComplexity: 2.5 }, "audioOutComplexity cannot be 2.5", "from 0 to 10"],
  ])("%j is refused", async (params, message, fix) => {
    await expect(createWebRTCTransport({ params, logger: createRecordingLogger() })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(message),
      fix: expect.stringContaining(fix),
    });
  });
});

async function* tones() {
  yield tone(440, { durationMs: 100, sampleRate: 24_000 });
}
