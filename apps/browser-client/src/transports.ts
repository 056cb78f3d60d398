import type { Console } from "./consoles/console.ts";
import { webrtcConsole } from "./consoles/webrtc.ts";
import { websocketConsole } from "./consoles/websocket.ts";
import { type PhoneCarrier, phoneCarriers } from "./phone-carriers.ts";

/** A transport of the runner, and what this page can do with it. */
export type Way =
  | { readonly kind: "console"; readonly name: string; readonly label: string; readonly console: Console }
  | { readonly kind: "phone"; readonly name: string; readonly label: string; readonly carrier: PhoneCarrier }
  | { readonly kind: "foreign"; readonly name: string; readonly label: string };

/** What this page can talk over by itself, the best first: on a bad network WebRTC loses a moment where a WebSocket falls behind. */
const consoles: Readonly<Record<string, Console>> = { webrtc: webrtcConsole, websocket: websocketConsole };

/** What this page can do with each of `transports`: those it can talk over first, the best of them before the others, else in the runner's order. */
export function waysOf(transports: readonly string[]): Way[] {
  const talked = Object.keys(consoles).filter((name) => transports.includes(name));
  return [...talked, ...transports.filter((name) => !talked.includes(name))].map(wayOf);
}

function wayOf(name: string): Way {
  const console = own(consoles, name);
  if (console) return { kind: "console", name, label: console.label, console };
  const carrier = own(phoneCarriers, name);
  if (carrier) return { kind: "phone", name, label: carrier.label, carrier };
  return { kind: "foreign", name, label: name };
}

function own<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
