import {
  Button,
  Card,
  CardContent,
  CardHeader,
  CardTitle,
  ThemeModeToggle,
  ThemeProvider,
} from "@pipecat-ai/voice-ui-kit";
import type { ReactNode } from "react";
import { noConsole } from "./notices.ts";
import { publicHost, type TransportOption } from "./transports.ts";

/** A page of text, shown instead of a console. */
export function Explanation(props: {
  readonly title: string;
  readonly children: ReactNode;
  readonly select?: ReactNode;
  readonly onRetry?: () => void;
}) {
  return (
    <ThemeProvider>
      <main className="page">
        <header className="explanation-header">
          {props.select ?? <span />}
          <strong>Pipecat Runner</strong>
          <ThemeModeToggle />
        </header>
        <Card className="explanation" aria-live="polite">
          <CardHeader>
            <CardTitle>
              <h1>{props.title}</h1>
            </CardTitle>
          </CardHeader>
          <CardContent>
            {props.children}
            {props.onRetry && <Button onClick={props.onRetry}>Try again</Button>}
          </CardContent>
        </Card>
      </main>
    </ThemeProvider>
  );
}

/** Explains how to use a transport without a console. `noneSupported`: this page supports none of the runner's transports. */
export function TransportExplanation(props: {
  readonly transport: Exclude<TransportOption, { kind: "console" }>;
  readonly select: ReactNode;
  readonly noneSupported: boolean;
}) {
  const { transport, select } = props;
  const { name, label } = transport;
  const hint = props.noneSupported && <p>{noConsole}</p>;
  if (transport.kind === "unsupported")
    return (
      <Explanation title={`Connect with a client for ${name}`} select={select}>
        {hint}
        <p>
          The runner accepts <code>{name}</code> sessions, but this page does not support this transport. Clients start
          a session with <code>POST /start</code> and <code>{`{"transport": "${name}"}`}</code>.
        </p>
      </Explanation>
    );
  const host = publicHost(location);
  return (
    <Explanation title={`Call the bot through ${label}`} select={select}>
      {hint}
      <ol>
        <li>
          Run the bot at an address that {label} can reach: <code>{`pipecat-runner bot.ts -t ${name} -x ${host}`}</code>
        </li>
        <li>{transport.carrier.setUp(host)}</li>
        <li>Call the number from any phone.</li>
      </ol>
    </Explanation>
  );
}
