import { type KeyboardEvent, useId, useRef, useState } from "react";
import type { Phone } from "../phone.ts";
import { Conversation } from "./conversation.tsx";
import { Events, type EventsView } from "./events.tsx";

const tabs = ["Conversation", "Events"] as const;

/** What is said, and what is sent. */
export function Panel({ phone }: { readonly phone: Phone }) {
  const [selected, setSelected] = useState<(typeof tabs)[number]>("Conversation");
  const [eventsView, setEventsView] = useState<EventsView>({ filter: "" });
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = ({ key }: KeyboardEvent) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const next = selected === "Conversation" ? "Events" : "Conversation";
    setSelected(next);
    list.current?.querySelector<HTMLElement>(`[data-tab=${next}]`)?.focus();
  };
  return (
    <section className="card panel" aria-label="Conversation and events">
      <div ref={list} className="tabs" role="tablist" aria-label="Show" onKeyDown={onKeyDown}>
        {tabs.map((tab) => (
          <button
            key={tab}
            type="button"
            role="tab"
            data-tab={tab}
            id={`${id}-${tab}`}
            aria-selected={tab === selected}
            aria-controls={`${id}-panel`}
            tabIndex={tab === selected ? 0 : -1}
            onClick={() => setSelected(tab)}
          >
            {tab}
          </button>
        ))}
      </div>
      <div className="tab-panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${selected}`}>
        {selected === "Conversation" ? (
          <Conversation phone={phone} />
        ) : (
          <Events phone={phone} view={eventsView} onView={setEventsView} />
        )}
      </div>
    </section>
  );
}
