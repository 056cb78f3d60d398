type Area = "localStorage" | "sessionStorage";

/** What the browser did not store, because the user blocks it. It is lost when the page is closed. */
const values = new Map<string, string>();

export function load(area: Area, name: string): string | null {
  try {
    return globalThis[area].getItem(name);
  } catch {
    return values.get(name) ?? null;
  }
}

export function store(area: Area, name: string, value: string): void {
  try {
    globalThis[area].setItem(name, value);
  } catch {
    values.set(name, value);
  }
}
