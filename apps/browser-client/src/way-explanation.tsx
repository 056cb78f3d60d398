import type { ReactNode } from "react";
import { Explanation } from "./explanation.tsx";
import { noConsole } from "./messages.ts";
import { publicHost } from "./phone-carriers.ts";
import type { Way } from "./transports.ts";

/** How to use a transport that this page does not speak. `only`: the runner has none that it does speak. */
export function WayExplanation(props: {
  readonly way: Exclude<Way, { kind: "console" }>;
  readonly select: ReactNode;
  readonly only: boolean;
}) {
  const { way, select } = props;
  const hint = props.only && <p>{noConsole}</p>;
  if (way.kind === "foreign")
    return (
      <Explanation title={`Use ${way.name}'s own client`} select={select}>
        {hint}
        <p>
          The runner accepts sessions over <code>{way.name}</code>, but this page does not speak it. Connect with a
          client made for it: it starts a session by <code>POST /start</code> with{" "}
          <code>{`{"transport": "${way.name}"}`}</code>.
        </p>
      </Explanation>
    );
  const host = publicHost(location);
  return (
    <Explanation title={`Call the bot by ${way.label}`} select={select}>
      {hint}
      <ol>
        <li>
          Run the bot where the carrier reaches it: <code>{`pipecat-runner bot.ts -t ${way.name} -x ${host}`}</code>
        </li>
        <li>{way.carrier.setUp(host)}</li>
        <li>Call that number with any phone.</li>
      </ol>
    </Explanation>
  );
}
