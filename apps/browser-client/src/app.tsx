import { Select, SelectContent, SelectItem, SelectTrigger, SelectValue } from "@pipecat-ai/voice-ui-kit";
import { useCallback, useEffect, useState } from "react";
import { fetchStatus, runnerUrl } from "./api.ts";
import { ConsoleView } from "./console-view.tsx";
import { Explanation, TransportExplanation } from "./explanation.tsx";
import { noTransport, notSecure } from "./notices.ts";
import { type TransportOption, transportOptions } from "./transports.ts";

type Status =
  | { readonly state: "loading" }
  | { readonly state: "failed"; readonly reason: string }
  | { readonly state: "loaded"; readonly options: readonly TransportOption[] };

/** The whole page: asks the runner for its transports and shows the selected one. */
export function App() {
  const [status, setStatus] = useState<Status>({ state: "loading" });
  const [selectedName, setSelectedName] = useState<string>();

  const load = useCallback((signal?: AbortSignal) => {
    setStatus({ state: "loading" });
    fetchStatus(runnerUrl("status"), signal).then(
      ({ transports }) => setStatus({ state: "loaded", options: transportOptions(transports) }),
      (error: Error) => {
        if (!signal?.aborted) setStatus({ state: "failed", reason: error.message });
      },
    );
  }, []);
  useEffect(() => {
    const controller = new AbortController();
    load(controller.signal);
    return () => controller.abort();
  }, [load]);

  if (!isSecureContext)
    return (
      <Explanation title="This address is not secure">
        <p>{notSecure}</p>
      </Explanation>
    );
  if (status.state === "loading") return <Explanation title="Loading transports…">{null}</Explanation>;
  if (status.state === "failed")
    return (
      <Explanation title="The runner cannot be reached" onRetry={() => load()}>
        <p>{status.reason}</p>
      </Explanation>
    );
  const { options } = status;
  const selected = options.find(({ name }) => name === selectedName) ?? options[0];
  if (!selected)
    return (
      <Explanation title="No transports" onRetry={() => load()}>
        <p>{noTransport}</p>
      </Explanation>
    );
  const select = <TransportSelect options={options} selected={selected} onSelect={setSelectedName} />;
  if (selected.kind === "console")
    return <ConsoleView key={selected.name} console={selected.console} select={select} />;
  const noneSupported = options.every(({ kind }) => kind !== "console");
  return <TransportExplanation transport={selected} select={select} noneSupported={noneSupported} />;
}

function TransportSelect(props: {
  readonly options: readonly TransportOption[];
  readonly selected: TransportOption;
  readonly onSelect: (name: string) => void;
}) {
  return (
    <Select value={props.selected.name} onValueChange={props.onSelect}>
      <SelectTrigger aria-label="Transport" className="transport-select">
        <SelectValue />
      </SelectTrigger>
      <SelectContent>
        {props.options.map(({ name, label }) => (
          <SelectItem key={name} value={name}>
            {label}
          </SelectItem>
        ))}
      </SelectContent>
    </Select>
  );
}
