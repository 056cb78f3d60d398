/** A participant of the room, in the shape that Pipecat's bots use, with names in camelCase. */
export interface DailyParticipant {
  /** Daily's session id. */
  readonly id: string;
  readonly info: {
    readonly isLocal: boolean;
    readonly isOwner: boolean;
    /** ISO 8601. */
    readonly joinedAt?: string;
    readonly permissions?: unknown;
    readonly userId?: string;
    readonly userName?: string;
  };
  readonly media: {
    readonly camera: TrackState;
    readonly microphone: TrackState;
    readonly screenVideo: TrackState;
    readonly screenAudio: TrackState;
  };
  /** The participant of daily-js. https://docs.daily.co/reference/daily-js/types/daily-participant */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** `playable`, `off`, `blocked`, `sendable`, `loading`, `interrupted`. */
export type TrackState = string;

/** Converts a participant of daily-js; `undefined` for other values. */
export function toParticipant(value: unknown): DailyParticipant | undefined {
  const raw = Object(value) as Record<string, unknown>;
  if (typeof raw.session_id !== "string") return undefined;
  const tracks = Object(raw.tracks) as Readonly<Record<string, { readonly state?: string }>>;
  const stateOf = (track: string): TrackState => tracks[track]?.state ?? "off";
  return {
    id: raw.session_id,
    info: {
      isLocal: raw.local === true,
      isOwner: raw.owner === true,
      ...text("joinedAt", raw.joined_at),
      ...(raw.permissions !== undefined && { permissions: raw.permissions }),
      ...text("userId", raw.user_id),
      ...text("userName", raw.user_name),
    },
    media: {
      camera: stateOf("video"),
      microphone: stateOf("audio"),
      screenVideo: stateOf("screenVideo"),
      screenAudio: stateOf("screenAudio"),
    },
    raw,
  };
}

function text<Name extends string>(name: Name, value: unknown): { readonly [Key in Name]?: string } {
  return (typeof value === "string" && value !== "" ? { [name]: value } : {}) as { readonly [Key in Name]?: string };
}

/** `userData` of every bot. Bots recognize each other by it. */
export const botUserData: Readonly<Record<string, unknown>> = { pipecatBot: true };

/**
 * Whether a participant is a bot of this package, from another session in the same room. If bots treated each other as
 * callers, they would talk to each other until the room expires.
 */
export function isBot({ raw }: DailyParticipant): boolean {
  return (Object(raw.userData) as { readonly pipecatBot?: unknown }).pipecatBot === true;
}

/** The participants of a room, without the bot itself. */
export interface Participants {
  readonly byId: ReadonlyMap<string, DailyParticipant>;
  /** Adds or updates a participant; `undefined` for the bot itself and for invalid values. */
  update(value: unknown): { readonly participant: DailyParticipant; readonly isNew: boolean } | undefined;
  /** Removes a participant; `undefined` when it was not present. */
  remove(value: unknown): DailyParticipant | undefined;
}

/** Daily may announce a participant twice: in the list of present participants, and as a new one. */
export function createParticipants(): Participants {
  const byId = new Map<string, DailyParticipant>();
  return {
    byId,
    update(value) {
      const participant = toParticipant(value);
      if (!participant || participant.info.isLocal) return undefined;
      const isNew = !byId.has(participant.id);
      byId.set(participant.id, participant);
      return { participant, isNew };
    },
    remove(value) {
      const participant = toParticipant(value);
      return participant && byId.delete(participant.id) ? participant : undefined;
    },
  };
}
