/**
 * About how many bytes of memory a body takes, rather more than less: a list of empty lists has ten times as many as its JSON.
 * Counts no further than `limit`, however much there is.
 */
export function memoryOf(body: unknown, limit: number): number {
  let bytes = 0;
  const rest: unknown[] = [body];
  while (rest.length > 0 && bytes < limit) {
    const value = rest.pop();
    bytes += valueBytes;
    if (typeof value === "string") bytes += characterBytes * value.length;
    if (typeof value !== "object" || value === null) continue;
    bytes += objectBytes;
    if (!Array.isArray(value)) for (const name of Object.keys(value)) bytes += nameBytes + characterBytes * name.length;
    for (const item of Array.isArray(value) ? value : Object.values(value)) rest.push(item);
  }
  return Math.min(bytes, limit);
}

// As measured on Node 24, rounded up: for objects whose names no other has, which share nothing.
const valueBytes = 32;
const objectBytes = 48;
const nameBytes = 96;
const characterBytes = 2;
