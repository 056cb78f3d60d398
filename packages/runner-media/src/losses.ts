/** Which audio the wire did not take, by position in ms. */
export interface Losses {
  /** The audio from `fromMs` to `toMs`, which follows everything before, was lost. */
  add(fromMs: number, toMs: number): void;
  /** Milliseconds between two positions that were lost. */
  between(fromMs: number, toMs: number): number;
}

interface Section {
  readonly fromMs: number;
  toMs: number;
}

/** Sections that are remembered, so that a wire that takes every second frame for hours does not fill the memory. */
const maxSections = 1_000;

export function createLosses(): Losses {
  const sections: Section[] = [];

  return {
    add(fromMs, toMs) {
      const last = sections.at(-1);
      if (last?.toMs === fromMs) last.toMs = toMs;
      else sections.push({ fromMs, toMs });
      if (sections.length > maxSections) sections.shift();
    },
    between(fromMs, toMs) {
      let lostMs = 0;
      for (let index = sections.length - 1; index >= 0; index--) {
        const section = sections[index] as Section;
        if (section.toMs <= fromMs) break;
        lostMs += Math.max(0, Math.min(section.toMs, toMs) - Math.max(section.fromMs, fromMs));
      }
      return lostMs;
    },
  };
}
