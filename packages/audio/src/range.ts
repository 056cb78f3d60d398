/** Throws a RangeError that names the argument, its value and what is allowed, unless `value` is a whole number from `min` to `max`. */
export function requireInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(`${name} is ${value}; it must be a whole number from ${min} to ${max}.`);
}
