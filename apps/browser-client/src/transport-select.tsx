import { Select, SelectContent, SelectItem, SelectTrigger, SelectValue } from "@pipecat-ai/voice-ui-kit";
import type { Way } from "./transports.ts";

/** The runner's transports, one of them chosen. */
export function TransportSelect(props: {
  readonly ways: readonly Way[];
  readonly chosen: Way;
  readonly onChoose: (name: string) => void;
}) {
  return (
    <Select value={props.chosen.name} onValueChange={props.onChoose}>
      <SelectTrigger aria-label="Transport" className="transport-select">
        <SelectValue />
      </SelectTrigger>
      <SelectContent>
        {props.ways.map(({ name, label }) => (
          <SelectItem key={name} value={name}>
            {label}
          </SelectItem>
        ))}
      </SelectContent>
    </Select>
  );
}
