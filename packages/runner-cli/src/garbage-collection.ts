import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** In bytes. */
const wantedSize = 8 * 1_024 * 1_024;
/** The niceness of V8's helper threads. On one core with a busy thread of niceness 0, they get a tenth of its time (sched(7)). */
const helperNiceness = 10;

/** Keeps the pauses of garbage collections short. Call it before much code is loaded. */
export function shortenCollections(): void {
  limitYoungGeneration();
  yieldHelperThreads();
}

/**
 * Lets the part of V8's heap that has new objects grow to 8 MB, and then no more. By itself it grows to 128 MB, also while code is
 * loaded, and stays that large for minutes after a burst of work. Collecting 8 MB takes 2 ms; 48 MB take 15 to 20 ms, in which nobody
 * hears anything. Does nothing when a flag of Node sets the size.
 */
function limitYoungGeneration(): void {
  if (/semi[-_]space/.test([...process.execArgv, process.env.NODE_OPTIONS].join(" "))) return;
  // V8 reads the factor at each collection, but the largest size only when the process starts.
  setFlagsFromString("--semi-space-growth-factor=4");
  const kept: number[][] = [];
  while (kept.length < 100_000 && youngGenerationSize() < wantedSize) {
    for (let index = 0; index < 500; index++) kept.push(new Array(8).fill(index));
  }
  setFlagsFromString("--semi-space-growth-factor=1");
}

function youngGenerationSize(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")?.space_size ?? wantedSize;
}

/**
 * Lets V8's helper threads, which collect garbage and compile in the background, wait for the thread with the audio. Where both share a
 * core, they otherwise delay it by up to 80 ms in each collection of the whole heap. Only Linux has priorities of threads; versions of
 * Node that do not name the threads keep theirs.
 */
function yieldHelperThreads(): void {
  try {
    for (const thread of readdirSync("/proc/self/task")) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, "utf8").trim();
      if (name === "V8Worker") setPriority(Number(thread), helperNiceness);
    }
  } catch {
    // Not Linux, or not allowed: the threads keep their priority.
  }
}
