import { useCallback, useEffect, useState } from "react";
import { ConsoleView } from "./console-view.tsx";
import { Explanation } from "./explanation.tsx";
import { noTransport, notSecure } from "./messages.ts";
import { runnerUrl } from "./start-request.ts";
import { fetchStatus } from "./status.ts";
import { TransportSelect } from "./transport-select.tsx";
import { type Way, waysOf } from "./transports.ts";
import { WayExplanation } from "./way-explanation.tsx";

type Found =
  | { readonly state: "asking" }
  | { readonly state: "failed"; readonly reason: string }
  | { readonly state: "found"; readonly ways: readonly Way[] };

/** The whole page: asks the runner what it offers, and shows that. */
export function App() {
  const [found, setFound] = useState<Found>({ state: "asking" });
  const [chosen, setChosen] = useState<string>();

  const ask = useCallback((signal?: AbortSignal) => {
    setFound({ state: "asking" });
    fetchStatus(runnerUrl("status"), signal).then(
      ({ transports }) => setFound({ state: "found", ways: waysOf(transports) }),
      (error: Error) => {
        if (!signal?.aborted) setFound({ state: "failed", reason: error.message });
      },
    );
  }, []);
  useEffect(() => {
    const controller = new AbortController();
    ask(controller.signal);
    return () => controller.abort();
  }, [ask]);

  if (!isSecureContext)
    return (
      <Explanation title="This address is not secure">
        <p>{notSecure}</p>
      </Explanation>
    );
  if (found.state === "asking") return <Explanation title="Asking the runner what it offers…">{null}</Explanation>;
  if (found.state === "failed")
    return (
      <Explanation title="The runner cannot be reached" onRetry={() => ask()}>
        <p>{found.reason}</p>
      </Explanation>
    );
  const way = found.ways.find(({ name }) => name === chosen) ?? found.ways[0];
  if (!way)
    return (
      <Explanation title="Nothing to talk over" onRetry={() => ask()}>
        <p>{noTransport}</p>
      </Explanation>
    );
  const select = <TransportSelect ways={found.ways} chosen={way} onChoose={setChosen} />;
  if (way.kind === "console") return <ConsoleView key={way.name} console={way.console} select={select} />;
  const only = found.ways.every(({ kind }) => kind !== "console");
  return <WayExplanation way={way} select={select} only={only} />;
}
