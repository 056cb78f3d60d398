import { asText, clockTime, filtered, type LoggedEvent } from "../call/event-log.ts";
import type { Phone } from "../phone.ts";
import { CopyButton } from "./explanation.tsx";
import { useFollow } from "./use-follow.ts";
import { useStore } from "./use-store.ts";

/** Which events are shown. The panel keeps it while the user looks at the conversation. */
export interface EventsView {
  readonly filter: string;
  /** The events when the user pressed Pause. */
  readonly paused?: readonly LoggedEvent[] | undefined;
}

/** The messages of the bot and the steps of the call, with a filter. Paused, the list stands still. */
export function Events(props: {
  readonly phone: Phone;
  readonly view: EventsView;
  readonly onView: (view: EventsView) => void;
}) {
  const { phone, view, onView } = props;
  const { filter, paused } = view;
  const live = useStore(phone.events);
  const events = filtered(paused ?? live, filter);
  const list = useFollow<HTMLOListElement>(events);
  return (
    <>
      <div className="events-bar field">
        <input
          type="search"
          aria-label="Filter events"
          placeholder="Filter"
          value={filter}
          onChange={(event) => onView({ ...view, filter: event.currentTarget.value })}
        />
        <button
          type="button"
          className="button small"
          aria-pressed={paused !== undefined}
          onClick={() => onView({ ...view, paused: paused === undefined ? live : undefined })}
        >
          Pause
        </button>
        <CopyButton text={() => asText(events)} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
      <ol ref={list} className="events" aria-label="Events" tabIndex={0}>
        {events.length === 0 && (
          <li className="hint">{filter === "" ? "No events yet." : "No event contains this text."}</li>
        )}
        {events.map(({ id, atMs, type, data }) => (
          <li key={id}>
            <time>{clockTime(atMs)}</time>
            <strong>{type}</strong>
            {data !== "" && <span className="event-data">{data}</span>}
          </li>
        ))}
      </ol>
    </>
  );
}
