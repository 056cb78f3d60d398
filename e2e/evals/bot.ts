import type {} from "@pipecat-ts/runner-websocket";
import { createRTVI, createTransport, type RunnerArguments } from "pipecat-runner";

/** How long a long answer plays, in ms. */
const storyMs = 20_000;

/** A bot without a language model: it answers what `scenarios.yaml` says, and speaks tones. */
export async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, { websocket: () => ({ videoInEnabled: true }) });
  const rtvi = createRTVI(transport, { evals: true, functionCallReportLevel: "none" });
  let guest = "friend";
  let keys = "";

  async function* speech(durationMs: number) {
    for (let ms = 0; ms < durationMs; ms += 20)
      yield {
        samples: new Int16Array(320).map((_, n) => 8_000 * Math.sin((n * Math.PI) / 20)),
        sampleRate: 16_000,
        channels: 1,
      };
  }

  function answer(text: string, durationMs = 400): void {
    void rtvi.botLlmStarted();
    for (const word of text.split(/(?<= )/)) void rtvi.botLlmText(word);
    void rtvi.botLlmMarker({ marker: "✓", kind: "complete", raw: `✓ ${text}`, markers: ["✓", "○", "◐"] });
    void rtvi.botLlmStopped();
    rtvi.botSpeech(text, { playback: transport.play(speech(durationMs)) });
  }

  rtvi.on("evalContext", ({ messages }) => {
    guest = String(messages[0]?.content);
  });
  rtvi.on("sendText", ({ content }) => {
    transport.interrupt();
    if (content.includes("story")) return answer("Once upon a time", storyMs);
    if (content.includes("weather")) {
      void rtvi.llmFunctionCallStarted({ name: "get_weather" });
      void rtvi.llmFunctionCallInProgress({ callId: "1", name: "get_weather", args: { city: "Oslo" } });
      void rtvi.llmFunctionCallStopped({ callId: "1", name: "get_weather", result: "rain" });
      return answer("It rains in Oslo.");
    }
    if (content.includes("see")) return void describe();
    answer(`Hello, ${guest}.`);
  });
  async function describe(): Promise<void> {
    const picture = await transport.video?.snapshot({ source: "camera" });
    answer(`I see ${picture?.width} by ${picture?.height} pixels of ${picture?.type}.`);
  }
  rtvi.on("dtmf", (key) => {
    keys += key;
    if (key !== "#") return;
    void rtvi.userTranscription({ text: `DTMF: ${keys}`, final: true });
    answer(`You pressed ${keys}`);
  });
  void heardSpeech(transport.input);

  /** Reports the caller's speech: audio that is not silent. */
  async function heardSpeech(input: typeof transport.input): Promise<void> {
    let speaking = false;
    for await (const { samples } of input) {
      const isLoud = samples.some((sample) => Math.abs(sample) > 1_000);
      if (isLoud === speaking) continue;
      speaking = isLoud;
      void (isLoud ? rtvi.userStartedSpeaking() : rtvi.userStoppedSpeaking());
      if (isLoud) continue;
      void rtvi.userTranscription({ text: "a tone", final: true });
      answer("I heard a tone.");
    }
  }

  void rtvi.ready.then(() => answer("Welcome."));
  await transport.closed;
}
