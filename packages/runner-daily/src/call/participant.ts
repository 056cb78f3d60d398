/** Somebody in the room, in the shape that Pipecat's bots know, with names in camelCase. */
export interface DailyParticipant {
  /** Daily's session id. */
  readonly id: string;
  readonly info: {
    readonly isLocal: boolean;
    readonly isOwner: boolean;
    /** When they joined, as ISO 8601. */
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
  /** As daily-js has it. https://docs.daily.co/reference/daily-js/types/daily-participant */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** `playable`, `off`, `blocked`, `sendable`, `loading`, `interrupted`. */
export type TrackState = string;

/** The participant that daily-js speaks of; `undefined` for what is none. */
export function recogniseParticipant(value: unknown): DailyParticipant | undefined {
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
