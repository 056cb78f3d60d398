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

/** A page that explains, where there is no console to show. */
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
