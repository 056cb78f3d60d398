import { type CallerVideo, createCallerVideo, RunnerError, type Snapshot, systemClock } from "@pipecat-ts/runner-core";
import type { Image } from "./image.ts";

/** The camera of an eval harness: the picture that it sent last. */
export interface EvalCamera {
  readonly video: CallerVideo;
  show(image: Image): void;
  /** Ends the loops over frames. */
  close(): void;
}

export function createEvalCamera(): EvalCamera {
  let picture: Snapshot | undefined;
  const { video, close } = createCallerVideo(systemClock, async (source) => {
    if (source !== "camera") {
      throw new RunnerError("VIDEO_SOURCE_MISSING", `An eval harness has no ${source}.`, {
        fix: "Look at the camera.",
      });
    }
    if (picture === undefined) {
      throw new RunnerError("VIDEO_OFF", "The eval harness has sent no image.", {
        fix: "Add `image:` to this or an earlier turn of the scenario.",
      });
    }
    return picture;
  });
  return {
    video,
    close,
    show(image) {
      picture = { source: "camera", ...image, atMs: Date.now() };
    },
  };
}
