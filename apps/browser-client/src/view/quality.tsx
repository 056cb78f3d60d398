import type { Phone } from "../phone.ts";
import { useStore } from "./use-store.ts";

/** How fast the bot answers, and the quality of the connection. WebSocket calls have the first only. */
export function Quality({ phone }: { readonly phone: Phone }) {
  const { responseMs, roundTripMs, jitterMs, lossPercent } = useStore(phone.quality);
  return (
    <dl className="quality">
      <Value
        name="Response"
        title="From the end of your speech to the bot's first sound"
        value={responseMs}
        unit="ms"
      />
      <Value name="Round trip" value={roundTripMs} unit="ms" />
      <Value name="Jitter" value={jitterMs} unit="ms" />
      <Value name="Loss" value={lossPercent} unit="%" />
    </dl>
  );
}

function Value(props: {
  readonly name: string;
  readonly title?: string;
  readonly value: number | undefined;
  readonly unit: string;
}) {
  const { name, title, value, unit } = props;
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd>{value === undefined ? "–" : `${Math.round(value)} ${unit}`}</dd>
    </div>
  );
}
