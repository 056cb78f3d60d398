import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";

/** In bytes. */
const wantedSize = 8 * 1_024 * 1_024;
/** The niceness of V8's helper threads. On one core with a busy thread of niceness 0, they get a tenth of its time (sched(7)). */
const helperNiceness = 10;

/** Keeps the pauses of garbage collections short, and returns memory that became free. Call it before much code is loaded. */
export function tuneGarbageCollection(): void {
  limitYoungGeneration();
  yieldHelperThreads();
  returnMemory();
}

/**
 * Lets the part of V8's heap that has new objects grow to 8 MB, and then no more. By itself it grows to 128 MB, also while code is
 * loaded, and stays that large for minutes after a burst of work. Collecting 8 MB takes 2 ms; 48 MB take 15 to 20 ms, in which nobody
 * hears anything. Does nothing when a flag of Node sets the size.
 */
function limitYoungGeneration(): void {
  if (/semi[-_]space/.test(flagsOfNode())) return;
  // V8 reads the factor at each collection, but the largest size only when the process starts.
  setFlagsFromString("--semi-space-growth-factor=4");
  const kept: number[][] = [];
  while (kept.length < 100_000 && youngGenerationSize() < wantedSize) {
    for (let index = 0; index < 500; index++) kept.push(new Array(8).fill(index));
  }
  setFlagsFromString("--semi-space-growth-factor=1");
}

function flagsOfNode(): string {
  return [...process.execArgv, process.env.NODE_OPTIONS].join(" ");
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

/** In ms. The heap is measured this often. */
const measureEveryMs = 1_000;
/** What the heap needs is judged by this many measurements: in a flood, its size goes up and down every few seconds. */
const measurementCount = 10;
/** Free pages of more than this share of the process's memory are returned. */
const worthwhileShare = 0.05;
/** A heap that has stayed this many times larger than its smallest size is collected. */
const worthwhileGrowth = 2;

/**
 * Returns memory to the system after a flood of requests or a burst of calls. V8 collects garbage only when more is allocated, and keeps
 * the pages of its heap that became free until a collection that reduces memory. V8 itself begins such a collection only when the
 * program is nearly idle: with 50 calls, never. This function begins one when the heap has shrunk, or has stayed larger than it was.
 * It does nothing under Bun and Deno, which do not report collections, or when a flag of Node sets what it would change.
 */
export function returnMemory(everyMs: number = measureEveryMs): void {
  if (
    "bun" in process.versions ||
    "deno" in process.versions ||
    /optimize[-_]for[-_]size|incremental[-_]marking/.test(flagsOfNode())
  )
    return;
  /** The latest sizes of the heap, and its largest and smallest size since memory was last returned, all in bytes. */
  let sizes: number[] = [];
  let largest = 0;
  let smallest = Number.POSITIVE_INFINITY;
  let isReducing = false;

  const timer = setInterval(() => {
    if (isReducing) return;
    const rss = residentBytes();
    if (rss === undefined) return;
    const heapTotal = getHeapStatistics().total_heap_size;
    largest = Math.max(largest, heapTotal);
    smallest = Math.min(smallest, heapTotal);
    sizes = [...sizes, heapTotal].slice(-measurementCount);
    if (sizes.length < measurementCount) return;
    const free = largest - Math.max(...sizes);
    if (free < worthwhileShare * rss && Math.min(...sizes) < worthwhileGrowth * smallest) return;
    isReducing = true;
    reduceMemory(() => {
      isReducing = false;
      sizes = [];
      largest = 0;
      smallest = Number.POSITIVE_INFINITY;
    });
  }, everyMs);
  timer.unref();
}

/** `undefined` where Linux cannot tell: /proc is not mounted, or the bot has used up the file descriptors. */
function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined; // The next measurement may succeed; until then, V8 decides alone.
  }
}

/** Begins a collection that reduces memory, in small steps while the program runs. Calls `done` when it has ended. */
function reduceMemory(done: () => void): void {
  const startMs = performance.now();
  let hasBegun = false;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { readonly detail: { readonly kind: number } }).detail;
      if (kind === constants.NODE_PERFORMANCE_GC_INCREMENTAL && entry.startTime >= startMs && !hasBegun) {
        hasBegun = true;
        setFlagsFromString("--incremental-marking-hard-trigger=0");
        setFlagsFromString("--no-optimize-for-size");
      } else if (kind === constants.NODE_PERFORMANCE_GC_MAJOR && hasBegun) {
        observer.disconnect();
        done();
        return;
      }
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  // With the first, a collection returns pages; with the second, V8 begins one at the next allocation.
  setFlagsFromString("--optimize-for-size");
  setFlagsFromString("--incremental-marking-hard-trigger=1");
}
