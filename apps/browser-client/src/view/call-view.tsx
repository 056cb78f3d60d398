import { useEffect } from "react";
import type { Phone } from "../phone.ts";
import { CallCard } from "./call-card.tsx";
import { Panel } from "./panel.tsx";
import { useKeptFocus } from "./use-kept-focus.ts";
import { useStore } from "./use-store.ts";

/** The calls over one transport: the card with the one main action, and what is said and sent. */
export function CallView({ phone, transport }: { readonly phone: Phone; readonly transport: string }) {
  useEffect(() => phone.prepare(), [phone]);
  useStore(phone.state);
  const call = useKeptFocus();
  return (
    <div ref={call} className="call">
      <CallCard phone={phone} transport={transport} />
      <Panel phone={phone} />
    </div>
  );
}
