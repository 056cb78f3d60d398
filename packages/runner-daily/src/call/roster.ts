import { type DailyParticipant, recogniseParticipant } from "./participant.ts";

/** Who is in the room, the bot itself left out. */
export interface Roster {
  readonly others: ReadonlyMap<string, DailyParticipant>;
  /** Adds somebody, or what is new of them; `undefined` for the bot itself and for what is nobody. */
  see(value: unknown): { readonly participant: DailyParticipant; readonly isNew: boolean } | undefined;
  /** Removes somebody; `undefined` when they were not there. */
  remove(value: unknown): DailyParticipant | undefined;
}

/** Daily may tell of somebody twice: among those who were there, and as somebody who joined. */
export function createRoster(): Roster {
  const others = new Map<string, DailyParticipant>();
  return {
    others,
    see(value) {
      const participant = recogniseParticipant(value);
      if (!participant || participant.info.isLocal) return undefined;
      const isNew = !others.has(participant.id);
      others.set(participant.id, participant);
      return { participant, isNew };
    },
    remove(value) {
      const participant = recogniseParticipant(value);
      return participant && others.delete(participant.id) ? participant : undefined;
    },
  };
}
