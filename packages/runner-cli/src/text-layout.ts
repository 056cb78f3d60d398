/** How wide a terminal is taken to be when it does not say. */
const usualWidth = 100;

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

/** Two columns: `left` padded to `indent`, `right` wrapped beside it. */
export function beside(left: string, right: string, indent: number, columns: number = usualWidth): string {
  const [first = "", ...more] = wrap(right, Math.max(40, Math.min(columns, usualWidth) - indent));
  const head = left.length < indent ? [left.padEnd(indent) + first] : [left, " ".repeat(indent) + first];
  return [...head, ...more.map((line) => " ".repeat(indent) + line)].join("\n");
}
