import type { DailyParticipant } from "./participant.ts";

/** What a bot has its room know of it, as daily-js's `userData`. */
export const botMark: Readonly<Record<string, unknown>> = { pipecatBot: true };

/**
 * Whether somebody is a bot like this one: another session's, in a room that several sessions meet in. Bots that took each
 * other for callers would talk to each other, and stay, until the room expires.
 */
export function isBot({ raw }: DailyParticipant): boolean {
  return (Object(raw.userData) as { readonly pipecatBot?: unknown }).pipecatBot === true;
}
