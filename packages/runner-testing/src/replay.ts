import { type ReplayOptions, type ReplayResult, replay as replayCapture } from "@pipecat-ts/runner-capture";
import { createRecordingLogger } from "./log.ts";

/**
 * Replays a captured call against a bot: `pipecat-runner bot.ts --capture <folder>` captures calls. `plugins` needs the transport of the
 * call if it has a WebSocket of the runner. Default speed `max`. Rejects as `replay` of `@pipecat-ts/runner-capture` does.
 */
export async function replay(file: string, options: ReplayOptions): Promise<ReplayResult> {
  return await replayCapture(file, { speed: "max", logger: createRecordingLogger(), ...options });
}
