/** Whether a text is a number that a call can be transferred to: `+15550100`, digits alone, or a SIP URI. */
export function isNumber(text: string): boolean {
  return /^(\+?[0-9]{3,15}|sips?:[^\s<>"&]{3,200})$/.test(text);
}
