import type { Clock } from "./clock.ts";
import { isRunnerError, RunnerError } from "./errors.ts";
import type { CallerVideo, Snapshot, VideoSource } from "./transport.ts";

const defaultTimeoutMs = 2_000;
const maxTimeoutMs = 60_000;
/** Every picture costs the caller a key frame. */
const minEveryMs = 200;

/**
 * Builds `Transport.video` from a function that takes one picture, for transports. `take` is called with a timeout in range, and
 * not after `close`, which ends the loops over frames; it rejects as `CallerVideo.snapshot` does.
 */
export function createCallerVideo(
  clock: Clock,
  take: (source: VideoSource, timeoutMs: number) => Promise<Snapshot>,
): { readonly video: CallerVideo; close(): void } {
  const sleeping = new Set<() => void>();
  let closed = false;

  async function snapshot({
    source,
    timeoutMs = defaultTimeoutMs,
  }: Parameters<CallerVideo["snapshot"]>[0]): Promise<Snapshot> {
    requireRange("timeoutMs", timeoutMs, 1, maxTimeoutMs);
    if (closed) throw new RunnerError("CALL_ENDED", "No picture was taken: the call is over.");
    return await take(source, timeoutMs);
  }

  async function* frames({ source, every = 1_000 }: Parameters<CallerVideo["frames"]>[0]): AsyncGenerator<Snapshot> {
    requireRange("every", every, minEveryMs, maxTimeoutMs);
    let dueMs = clock.now();
    while (!closed) {
      await sleep(dueMs - clock.now());
      dueMs = Math.max(dueMs + every, clock.now());
      const taken = await snapshot({ source }).catch(skipMissing);
      if (taken !== undefined) yield taken;
    }
  }

  /** Resolves after `ms`, or when the call ends. */
  async function sleep(ms: number): Promise<void> {
    if (ms <= 0) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(ms, wake);
      sleeping.add(wake);
      function wake(): void {
        cancel();
        sleeping.delete(wake);
        resolve();
      }
    });
  }

  return {
    video: { snapshot, frames },
    close() {
      closed = true;
      for (const wake of sleeping) wake();
    },
  };
}

/** A loop over frames waits for the next picture, and ends with the call. */
function skipMissing(error: unknown): undefined {
  if (!isRunnerError(error) || !["VIDEO_OFF", "VIDEO_TIMED_OUT", "CALL_ENDED"].includes(error.code)) throw error;
}

function requireRange(name: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new RunnerError("OPTION_INVALID", `${name} cannot be ${value}.`, { fix: `Use ${min} to ${max} ms.` });
}
