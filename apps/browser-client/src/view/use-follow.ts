import { type RefObject, useLayoutEffect, useRef } from "react";

/** Distance from the end that still counts as the end, in pixels. */
const tolerance = 24;

/** Keeps a scrolling list at its end when `content` or its size changes, unless the user has scrolled up. */
export function useFollow<Element extends HTMLElement>(content: unknown): RefObject<Element | null> {
  const list = useRef<Element>(null);
  const follows = useRef(true);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const onScroll = () => {
      follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < tolerance;
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    const resized = new ResizeObserver(() => {
      if (follows.current) element.scrollTop = element.scrollHeight;
    });
    resized.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      resized.disconnect();
    };
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of the content is what moves the end
  useLayoutEffect(() => {
    if (follows.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [content]);
  return list;
}
