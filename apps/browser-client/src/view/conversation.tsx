import { type FormEvent, useState } from "react";
import { isInCall } from "../call/call-state.ts";
import type { Message } from "../call/transcript.ts";
import type { Phone } from "../phone.ts";
import { Icon } from "./icons.tsx";
import { useFollow } from "./use-follow.ts";
import { useStore } from "./use-store.ts";

/** What the caller and the bot said, and a line for writing to the bot. */
export function Conversation({ phone }: { readonly phone: Phone }) {
  const transcript = useStore(phone.transcript);
  const { phase, acceptsText } = useStore(phone.state);
  const list = useFollow<HTMLDivElement>(transcript);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
      <div ref={list} className="messages" role="log" aria-label="Conversation" tabIndex={0}>
        {transcript.length === 0 && <p className="hint">What you and the bot say appears here.</p>}
        {transcript.map((message) => (
          <Bubble key={message.id} message={message} />
        ))}
      </div>
      {isInCall(phase) && acceptsText && <Composer onSend={(text) => void phone.call?.sendText(text)} />}
    </>
  );
}

function Bubble({ message: { from, segments } }: { readonly message: Message }) {
  // A screen reader would speak over the bot, into the microphone.
  const isSpoken = from === "you" || segments.some(({ aloud }) => aloud);
  return (
    <div className={`bubble ${from}`} aria-live={isSpoken ? "off" : undefined}>
      <span className="visually-hidden">{from === "you" ? "You: " : "Bot: "}</span>
      {segments.map(({ id, text, spoken }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: segments are only added, and those of old bots have no id
        <span key={`${id}-${index}`} className="segment">
          {spoken >= text.length ? (
            text
          ) : (
            <>
              {text.slice(0, spoken)}
              <span className="unspoken">{text.slice(spoken)}</span>
            </>
          )}
        </span>
      ))}
    </div>
  );
}

/** The client library rejects messages of more than 64 KiB, and a character may have 6 bytes. */
const maxText = 10_000;

function Composer({ onSend }: { readonly onSend: (text: string) => void }) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "") return;
    onSend(text.trim());
    setText("");
  };
  return (
    <form className="composer field" onSubmit={submit}>
      <input
        value={text}
        aria-label="Message to the bot"
        placeholder="Type a message"
        autoComplete="off"
        maxLength={maxText}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" className="icon-button" aria-label="Send" title="Send">
        <Icon name="send" />
      </button>
    </form>
  );
}
