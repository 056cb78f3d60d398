/** `800ms`, `20s` or `2m` in ms. NaN for other texts, also for a number without a unit. */
export function parseDuration(text: string): number {
  const [, value, unit] = text.trim().match(/^(\d+(?:\.\d+)?)\s*(ms|s|m)$/) ?? [];
  return Number(value) * (unit === "ms" ? 1 : unit === "m" ? 60_000 : 1_000);
}
