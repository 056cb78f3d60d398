/** An event of a call. */
export interface LoggedEvent {
  readonly id: number;
  /** In ms since 1970. */
  readonly atMs: number;
  readonly type: string;
  /** The event's data as JSON, shortened. Empty if there is none. */
  readonly data: string;
}

/** Events that are kept, and characters of the data of one. */
const maxEvents = 500;
const maxData = 500;

/** Adds an event. Drops the oldest one if there are too many. */
export function logged(events: readonly LoggedEvent[], type: string, data: unknown, atMs: number): LoggedEvent[] {
  const event = { id: (events.at(-1)?.id ?? 0) + 1, atMs, type, data: describe(data) };
  return [...events.slice(1 - maxEvents), event];
}

/** The events whose type or data contains `text`, in any case. */
export function filtered(events: readonly LoggedEvent[], text: string): readonly LoggedEvent[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return events;
  return events.filter(({ type, data }) => `${type} ${data}`.toLowerCase().includes(wanted));
}

/** One line for each event: time, type and data. */
export function asText(events: readonly LoggedEvent[]): string {
  return events
    .map(({ atMs, type, data }) => [new Date(atMs).toISOString(), type, data].filter(Boolean).join(" "))
    .join("\n");
}

/** The local time of day with seconds, in 24 hours: as short in every language. */
export function clockTime(atMs: number): string {
  return new Date(atMs).toTimeString().slice(0, 8);
}

function describe(data: unknown): string {
  if (data === undefined || data === null) return "";
  if (data instanceof MediaStreamTrack) return `${data.kind} ${data.label}`.trim();
  // Spaces between the fields, so that lines break there.
  const text = typeof data === "string" ? data : JSON.stringify(data, null, 1)?.replaceAll(/\n */g, " ");
  if (text === undefined || text === "{}") return "";
  return text.length > maxData ? `${text.slice(0, maxData)}…` : text;
}
