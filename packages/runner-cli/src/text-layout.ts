/** Breaks a text into lines of at most `width` columns, none of them within a word or at a non-breaking space. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll("\u00a0", " "));
}

/**
 * How many columns are left right of `indent`: at most 100 in all, for longer lines read badly, and at least 40. A terminal
 * that does not know its width says 0.
 */
export function widthBeside(indent: number, columns = 0): number {
  return Math.max(40, Math.min(columns || 100, 100) - indent);
}

/** Two columns: `left` padded to `indent`, `right` wrapped beside it. */
export function beside(left: string, right: string, indent: number, columns?: number): string {
  const lines = wrap(right, widthBeside(indent, columns));
  return lines.map((line, index) => (index === 0 ? left : "").padEnd(indent) + line).join("\n");
}
