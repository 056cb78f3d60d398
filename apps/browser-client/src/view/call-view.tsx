import { useEffect } from "react";
import type { Phone } from "../phone.ts";
import { CallCard } from "./call-card.tsx";
import { Panel } from "./panel.tsx";

/** The calls over one transport: the card with the one main action, and what is said and sent. */
export function CallView({ phone, transport }: { readonly phone: Phone; readonly transport: string }) {
  useEffect(() => phone.prepare(), [phone]);
  return (
    <div className="call">
      <CallCard phone={phone} transport={transport} />
      <Panel phone={phone} />
    </div>
  );
}
