import { useState } from "react";
import { asText, filtered, type LoggedEvent } from "../call/event-log.ts";
import type { Phone } from "../phone.ts";
import { CopyButton } from "./explanation.tsx";
import { useFollow } from "./use-follow.ts";
import { useStore } from "./use-store.ts";

/** The messages of the bot and the steps of the call, with a filter. Paused, the list stands still. */
export function Events({ phone }: { readonly phone: Phone }) {
  const live = useStore(phone.events);
  const [paused, setPaused] = useState<readonly LoggedEvent[]>();
  const [filter, setFilter] = useState("");
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
          onChange={(event) => setFilter(event.currentTarget.value)}
        />
        <button
          type="button"
          className="button small"
          aria-pressed={paused !== undefined}
          onClick={() => setPaused(paused === undefined ? live : undefined)}
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
            <time>{new Date(atMs).toLocaleTimeString()}</time>
            <strong>{type}</strong>
            {data !== "" && <span className="event-data">{data}</span>}
          </li>
        ))}
      </ol>
    </>
  );
}
