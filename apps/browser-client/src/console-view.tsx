import { type PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { usePipecatClientMicControl } from "@pipecat-ai/client-react";
import { ConsoleTemplate } from "@pipecat-ai/voice-ui-kit";
import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { keepApiKey } from "./api-key.ts";
import { superviseClient } from "./connection.ts";
import type { Console } from "./consoles/console.ts";
import { InterruptButton } from "./interrupt-button.tsx";
import { keyKept, type Notice } from "./messages.ts";
import { NoticeBanner } from "./notice-banner.tsx";

/** Where a person talks to the bot over one transport. Give it another `key` for another one. */
export function ConsoleView({ console, select }: { readonly console: Console; readonly select: ReactNode }) {
  const [notice, setNotice] = useState<Notice>();
  const [takesKeys, setTakesKeys] = useState(false);
  const { media, template } = useMemo(() => console.open(), [console]);
  const onClient = useCallback(
    (client: PipecatClient) => {
      superviseClient(client, console, media, setNotice);
      console.onClient?.(client);
      client.on(RTVIEvent.BotReady, ({ version }) => setTakesKeys(takesDtmf(version)));
      client.on(RTVIEvent.Disconnected, () => setTakesKeys(false));
    },
    [console, media],
  );
  const onKey = (key: string) => {
    keepApiKey(key);
    setNotice(keyKept);
  };
  return (
    <main className="page">
      {notice && <NoticeBanner notice={notice} onDismiss={() => setNotice(undefined)} onKey={onKey} />}
      <div className="console">
        <ConsoleTemplate
          {...template}
          onClient={onClient}
          titleText="Pipecat Runner"
          logoComponent={<Corner>{select}</Corner>}
          noAutoInitDevices
          noDTMF={!takesKeys}
          keypadMode="immediate"
          noUserVideo
          noScreenControl
          noBotVideo
          textRenderMode="instant"
        />
      </div>
    </main>
  );
}

/** Whether a bot that speaks RTVI `version` takes keys of a phone: the client refuses to send them to older ones. */
function takesDtmf(version: string): boolean {
  return Number.parseInt(version, 10) >= 2;
}

/** The template's corner, inside its providers: there the microphone, which it shows as muted before the first call, is set right. */
function Corner({ children }: { readonly children: ReactNode }) {
  const { enableMic } = usePipecatClientMicControl();
  useEffect(() => enableMic(true), [enableMic]);
  return (
    <div className="corner">
      {children}
      <InterruptButton />
    </div>
  );
}
