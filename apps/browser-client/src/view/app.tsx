import { type ReactNode, useCallback, useEffect, useState } from "react";
import { fetchStatus, runnerUrl, type Status } from "../api.ts";
import { isBusy } from "../call/call-state.ts";
import { installTransport, noTransport, notSecure } from "../notices.ts";
import { Phone } from "../phone.ts";
import { type TransportOption, transportOptions } from "../transports.ts";
import { CallView } from "./call-view.tsx";
import { Copyable, Explanation, TransportExplanation } from "./explanation.tsx";
import { Header } from "./header.tsx";
import { useStore } from "./use-store.ts";

type Loading =
  | { readonly state: "loading" }
  | { readonly state: "failed"; readonly reason: string }
  | { readonly state: "loaded"; readonly status: Status };

/** The whole page: asks the runner for its transports and shows the selected one. */
export function App() {
  const [phone] = useState(() => new Phone());
  const [loading, setLoading] = useState<Loading>({ state: "loading" });
  const [selectedName, setSelectedName] = useState<string>();

  const load = useCallback((signal?: AbortSignal) => {
    setLoading({ state: "loading" });
    fetchStatus(runnerUrl("status?problems"), signal).then(
      (status) => setLoading({ state: "loaded", status }),
      (error: Error) => {
        if (!signal?.aborted) setLoading({ state: "failed", reason: error.message });
      },
    );
  }, []);
  useEffect(() => {
    const controller = new AbortController();
    load(controller.signal);
    return () => controller.abort();
  }, [load]);

  const options = loading.state === "loaded" ? transportOptions(loading.status) : [];
  const selected = options.find(({ name }) => name === selectedName) ?? options[0];
  const { phase } = useStore(phone.state);
  return (
    <>
      <Header>
        {selected && (
          <TransportSelect options={options} selected={selected} disabled={isBusy(phase)} onSelect={setSelectedName} />
        )}
      </Header>
      <main>{content()}</main>
    </>
  );

  function content(): ReactNode {
    if (!isSecureContext)
      return (
        <Explanation title="This address is not secure">
          <p>{notSecure}</p>
        </Explanation>
      );
    if (loading.state === "loading") return <Explanation title="Loading…" />;
    if (loading.state === "failed")
      return (
        <Explanation title="The runner cannot be reached" onRetry={() => load()}>
          <p>{loading.reason}</p>
        </Explanation>
      );
    if (!selected)
      return (
        <Explanation title="No transport" onRetry={() => load()}>
          <p>{noTransport}</p>
          <Copyable value={installTransport} />
        </Explanation>
      );
    if (selected.kind === "console") return <CallView phone={phone} transport={selected.name} />;
    const noneSupported = options.every(({ kind }) => kind !== "console");
    const requiresKey = loading.state === "loaded" && loading.status.requiresKey;
    return <TransportExplanation transport={selected} noneSupported={noneSupported} requiresKey={requiresKey} />;
  }
}

function TransportSelect(props: {
  readonly options: readonly TransportOption[];
  readonly selected: TransportOption;
  readonly disabled: boolean;
  readonly onSelect: (name: string) => void;
}) {
  return (
    <select
      className="select transport"
      aria-label="Transport"
      value={props.selected.name}
      disabled={props.disabled}
      onChange={(event) => props.onSelect(event.currentTarget.value)}
    >
      {props.options.map(({ name, label, kind }) => (
        <option key={name} value={name}>
          {kind === "unavailable" ? `${label} (not set up)` : label}
        </option>
      ))}
    </select>
  );
}
