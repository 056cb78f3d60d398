import { type RefObject, useEffect, useRef } from "react";

/**
 * Moves the focus to the main button when the focused control has gone, such as the line for text when the call ends. Otherwise
 * the keyboard would start again at the top of the page.
 */
export function useKeptFocus(): RefObject<HTMLDivElement | null> {
  const call = useRef<HTMLDivElement>(null);
  const focused = useRef<EventTarget>(null);
  useEffect(() => {
    const remember = ({ target }: FocusEvent) => {
      focused.current = target;
    };
    call.current?.addEventListener("focusin", remember);
    return () => call.current?.removeEventListener("focusin", remember);
  }, []);
  useEffect(() => {
    const { current } = focused;
    if (!(current instanceof Element) || current.isConnected || document.activeElement !== document.body) return;
    call.current?.querySelector<HTMLElement>(".main-button")?.focus();
  });
  return call;
}
