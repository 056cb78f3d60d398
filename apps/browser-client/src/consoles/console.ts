import type { ConsoleTemplate } from "@pipecat-ai/voice-ui-kit";
import type { ComponentProps } from "react";

type TemplateProps = ComponentProps<typeof ConsoleTemplate>;

/** How this page talks over one transport. */
export interface Console {
  readonly label: string;
  /** What the transport's client connects with, of the runner's answer to `POST /start`. Throws an Error that says what is missing. */
  connectParams(reply: unknown): unknown;
  /** The template's settings. Called once for each client: the client is rebuilt whenever one of them changes. */
  open(): Pick<
    TemplateProps,
    "startBotParams" | "transportOptions" | "transportType" | "noAudioOutput" | "noSessionInfo"
  >;
}
