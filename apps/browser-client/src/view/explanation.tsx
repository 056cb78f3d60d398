import { type ReactNode, useState } from "react";
import { runnerUrl } from "../api.ts";
import { installTransport, noConsole } from "../notices.ts";
import { phoneSteps, publicHost, type TransportOption, variablesIn } from "../transports.ts";

/** A card with text, shown instead of a call. */
export function Explanation(props: {
  readonly title: string;
  readonly children?: ReactNode;
  readonly onRetry?: () => void;
}) {
  return (
    <section className="card explanation" aria-live="polite">
      <h1>{props.title}</h1>
      {props.children}
      {props.onRetry && (
        <button type="button" className="button" onClick={props.onRetry}>
          Try again
        </button>
      )}
    </section>
  );
}

/** Explains how to connect over a transport that the page does not connect over. `noneSupported`: it connects over none of the runner's. */
export function TransportExplanation(props: {
  readonly transport: Exclude<TransportOption, { kind: "console" }>;
  readonly noneSupported: boolean;
  readonly requiresKey: boolean;
}) {
  const { transport } = props;
  const { name, label, problem } = transport;
  const key = props.requiresKey ? "-H 'Authorization: Bearer <key>' " : "";
  const hint = props.noneSupported && (
    <div>
      <p>{noConsole}</p>
      <Copyable value={installTransport} />
    </div>
  );
  const missing = problem && <Missing reason={problem.reason} fix={problem.fix} />;
  if (transport.kind === "unavailable") return <Explanation title={`${label} is not set up`}>{missing}</Explanation>;
  if (transport.kind !== "phone")
    return (
      <Explanation title={`Connect with a client for ${label}`}>
        <p>
          The runner accepts <code>{name}</code> sessions, but this page does not support this transport. Clients start
          a session like this:
        </p>
        <Copyable value={`curl ${runnerUrl("start")} ${key}-d '{"transport": "${name}"}'`} />
        {missing}
        {hint}
      </Explanation>
    );
  return (
    <Explanation title={`Call the bot through ${label}`}>
      <ol className="steps">
        {phoneSteps(name, transport.carrier, publicHost(location)).map(({ text, value }) => (
          <li key={text}>
            <p>{text}</p>
            {value !== undefined && <Copyable value={value} />}
          </li>
        ))}
      </ol>
      {missing}
      {hint}
    </Explanation>
  );
}

/** What the operator has to set, with the variables for copying. */
function Missing({ reason, fix }: { readonly reason: string; readonly fix: string }) {
  const variables = variablesIn(`${reason} ${fix}`);
  return (
    <section className="missing">
      <h2>What is missing</h2>
      <p>{reason}</p>
      {fix !== "" && <p>{fix}</p>}
      {variables.length > 0 && <Copyable value={variables.map((name) => `${name}=`).join("\n")} />}
    </section>
  );
}

/** A text in code font with a button that copies it. */
export function Copyable({ value }: { readonly value: string }) {
  return (
    <div className="copyable">
      <code>{value}</code>
      <CopyButton text={() => value} />
    </div>
  );
}

/** Copies `text()` to the clipboard, and says so. */
export function CopyButton({ text }: { readonly text: () => string }) {
  const [label, setLabel] = useState("Copy");
  const copy = () => {
    navigator.clipboard.writeText(text()).then(
      () => setLabel("Copied"),
      () => setLabel("Blocked"),
    );
  };
  return (
    <button type="button" className="button small" onClick={copy} onBlur={() => setLabel("Copy")}>
      <span aria-live="polite">{label}</span>
    </button>
  );
}
