import { expect, test } from "vitest";
import { createEarlySilence } from "./early-silence.ts";
import { loadOpus } from "./opus.ts";
import { createSteadyPacer } from "./test/steady-pacer.ts";

function stage() {
  const pacer = createSteadyPacer(0);
  const sent: { readonly payload: Uint8Array; readonly timestamp: number }[] = [];
  return { pacer, sent, silence: createEarlySilence(pacer, (payload, timestamp) => sent.push({ payload, timestamp })) };
}

test("a packet of silence is sent every 20 ms, and the voice goes on where it ends", async () => {
  const { pacer, sent, silence } = stage();
  silence.begin();
  silence.begin();
  pacer.advanceTo(1_000);
  expect(sent).toHaveLength(50);
  const next = silence.end();
  pacer.advanceTo(2_000);
  expect(sent).toHaveLength(50);
  expect(pacer.series).toBe(0);
  expect(sent.map(({ timestamp }) => (next - timestamp) >>> 0)).toEqual(sent.map((_, index) => (50 - index) * 960));

  const decoder = await (await loadOpus()).createDecoder({ sampleRate: 48_000 });
  const samples = sent.map(({ payload }) => decoder.decode(payload));
  decoder.free();
  expect(samples.every((each) => each?.length === 960 && each.every((sample) => sample === 0))).toBe(true);
});

test("where the voice begins first, none is sent", () => {
  const { pacer, sent, silence } = stage();
  silence.end();
  silence.begin();
  pacer.advanceTo(1_000);
  expect(sent).toEqual([]);
  expect(pacer.series).toBe(0);
});
