import { styleText } from "node:util";
import type { CallObserver } from "./place-call.ts";
import { printable } from "./printable.ts";

/** What a call shows on a terminal while it happens: its state, the levels in both directions, and the transcript. */
export interface Screen extends CallObserver {
  close(): void;
}

const bars = "▁▂▃▄▅▆▇█";
const quietestDb = -50;

/** Shows one call on `stream`. Levels are shown on a terminal only, in one line that changes. */
export function createScreen(stream: NodeJS.WriteStream): Screen {
  const startedAtMs = performance.now();
  let answered = false;
  let hasLine = false;

  function clear(): void {
    if (hasLine) stream.write("\r\u001b[2K");
    hasLine = false;
  }

  return {
    answered() {
      answered = true;
    },
    levels(caller, bot) {
      if (!stream.isTTY) return;
      clear();
      const state = answered ? "in call" : "calling";
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(0).padStart(3);
      // A line that wraps could not be cleared.
      stream.write(
        `${state} ${seconds} s   bot ${bar(bot)}   caller ${bar(caller)}`.slice(0, (stream.columns || 80) - 1),
      );
      hasLine = true;
    },
    transcript({ speaker, text }) {
      clear();
      stream.write(`${styleText("bold", `${speaker}:`, { stream })} ${printable(text)}\n`);
    },
    close: clear,
  };
}

/** A level as one bar and a number: `▅ -20 dB`. */
function bar(level: number): string {
  const share = Math.max(0, Math.min(1, (level - quietestDb) / -quietestDb));
  const shown = level < quietestDb ? "silent" : `${Math.round(level)} dB`;
  return `${bars[Math.round(share * (bars.length - 1))]} ${shown.padStart(6)}`;
}
