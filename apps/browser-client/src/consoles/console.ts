import type { PipecatClient } from "@pipecat-ai/client-js";
import type { ConsoleTemplate } from "@pipecat-ai/voice-ui-kit";
import type { ComponentProps } from "react";
import type { CallMedia } from "../media/call-media.ts";
import type { Notice } from "../messages.ts";

type TemplateProps = ComponentProps<typeof ConsoleTemplate>;

/** How this page talks over one transport. */
export interface Console {
  readonly label: string;
  /** What the transport's client connects with, of the runner's answer to `POST /start`. Throws an Error that says what is missing. */
  connectParams(reply: unknown): unknown;
  /** What to say when no connection came to be within `seconds`. */
  timedOut(seconds: number): Notice;
  /** Called with each client before its first call. */
  onClient?(client: PipecatClient): void;
  /** Called once for each client, with one `media` each: the client is rebuilt whenever one of the template's settings changes. */
  open(): {
    readonly media: CallMedia;
    readonly template: Pick<
      TemplateProps,
      "startBotParams" | "transportOptions" | "transportType" | "noAudioOutput" | "noSessionInfo"
    >;
  };
}
