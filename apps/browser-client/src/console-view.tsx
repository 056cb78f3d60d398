import { type PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import {
  PipecatClientVideo,
  usePipecatClient,
  usePipecatClientCamControl,
  usePipecatClientMicControl,
  usePipecatClientScreenShareControl,
  usePipecatClientTransportState,
  useRTVIClientEvent,
} from "@pipecat-ai/client-react";
import { Banner, BannerClose, BannerTitle, Button, ConsoleTemplate, Input } from "@pipecat-ai/voice-ui-kit";
import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { storeApiKey } from "./api.ts";
import { superviseClient } from "./connection.ts";
import type { Console } from "./consoles.ts";
import type { AcceptedVideo } from "./media/webrtc-video.ts";
import { keyStored, type Notice } from "./notices.ts";

/** The console for one transport. Use another `key` for another transport. */
export function ConsoleView({ console, select }: { readonly console: Console; readonly select: ReactNode }) {
  const [notice, setNotice] = useState<Notice>();
  const [supportsDtmf, setSupportsDtmf] = useState(false);
  const [accepted, setAccepted] = useState<AcceptedVideo>({ camera: false, screen: false });
  const { media, template } = useMemo(() => console.open(), [console]);
  const onClient = useCallback(
    (client: PipecatClient) => {
      superviseClient(client, console, media, setNotice);
      console.onClient?.(client);
      console.followVideo?.(client, (next) =>
        setAccepted((last) => (last.camera === next.camera && last.screen === next.screen ? last : next)),
      );
      client.on(RTVIEvent.BotReady, ({ version }) => setSupportsDtmf(hasDtmf(version)));
      client.on(RTVIEvent.Disconnected, () => setSupportsDtmf(false));
    },
    [console, media],
  );
  const onKey = (key: string) => {
    storeApiKey(key);
    setNotice(keyStored);
  };
  return (
    <main className="page">
      {notice && <NoticeBanner notice={notice} onDismiss={() => setNotice(undefined)} onKey={onKey} />}
      <div className="console">
        <ConsoleTemplate
          {...template}
          onClient={onClient}
          titleText="Pipecat Runner"
          logoComponent={<Corner accepted={accepted}>{select}</Corner>}
          noAutoInitDevices
          noDTMF={!supportsDtmf}
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

/** Whether a bot with this RTVI version accepts phone keys. The client does not send them to older bots. */
function hasDtmf(version: string): boolean {
  return Number.parseInt(version, 10) >= 2;
}

/**
 * The template's logo slot. It is inside the template's providers, so it also enables the microphone, which the template
 * shows as muted before the first call.
 */
function Corner({ accepted, children }: { readonly accepted: AcceptedVideo; readonly children: ReactNode }) {
  const { enableMic } = usePipecatClientMicControl();
  useEffect(() => enableMic(true), [enableMic]);
  return (
    <div className="corner">
      {children}
      <InterruptButton />
      <div className="video-buttons">
        {accepted.camera && <CameraButton />}
        {accepted.screen && <ScreenButton />}
      </div>
    </div>
  );
}

/**
 * Asks the bot to stop speaking, with the client message "interrupt". RTVI has no standard message for this; a bot that does
 * not handle it answers with an error.
 */
function InterruptButton() {
  const client = usePipecatClient();
  if (usePipecatClientTransportState() !== "ready") return null;
  return (
    <Button
      variant="ghost"
      isIcon
      aria-label="Interrupt"
      title="Interrupt"
      onClick={() => client?.sendClientMessage("interrupt")}
    >
      <svg viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
        <rect x="6" y="6" width="12" height="12" rx="2" />
      </svg>
    </Button>
  );
}

/** Turns the camera on and off, and shows its picture while it is on. */
function CameraButton() {
  const { enableCam, isCamEnabled } = usePipecatClientCamControl();
  const name = isCamEnabled ? "Turn the camera off" : "Turn the camera on";
  // The hook takes the camera for enabled before the browser has opened it.
  useRTVIClientEvent(RTVIEvent.DeviceError, ({ devices }) => {
    if (devices.includes("cam")) enableCam(false);
  });
  return (
    <>
      <VideoButton name={name} enabled={isCamEnabled} onClick={() => enableCam(!isCamEnabled)}>
        <path d="M16 10l5-3v10l-5-3z" />
        <rect x="3" y="6" width="13" height="12" rx="2" />
      </VideoButton>
      {isCamEnabled && <PipecatClientVideo participant="local" mirror className="preview" aria-label="Your camera" />}
    </>
  );
}

/** Starts and stops sharing the screen. The browser shows what is shared. */
function ScreenButton() {
  const { enableScreenShare, isScreenShareEnabled } = usePipecatClientScreenShareControl();
  const name = isScreenShareEnabled ? "Stop sharing the screen" : "Share the screen";
  return (
    <VideoButton
      name={name}
      enabled={isScreenShareEnabled}
      onClick={() => void enableScreenShare(!isScreenShareEnabled)}
    >
      <rect x="3" y="4" width="18" height="13" rx="2" />
      <path d="M8 21h8M12 17v4M12 13.5V8m-2.5 2.5L12 8l2.5 2.5" />
    </VideoButton>
  );
}

function VideoButton(props: {
  readonly name: string;
  readonly enabled: boolean;
  readonly onClick: () => void;
  readonly children: ReactNode;
}) {
  const { name, enabled, onClick, children } = props;
  return (
    <Button variant={enabled ? "primary" : "ghost"} isIcon aria-label={name} title={name} onClick={onClick}>
      <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2" aria-hidden="true">
        {children}
      </svg>
    </Button>
  );
}

/** Shows a notice above the page until it is dismissed, with an input if the notice asks for the API key. */
function NoticeBanner(props: {
  readonly notice: Notice;
  readonly onDismiss: () => void;
  readonly onKey: (key: string) => void;
}) {
  const { notice, onDismiss, onKey } = props;
  const variant = notice.tone === "error" ? "destructive" : "primary";
  return (
    <Banner variant={variant} className="notice" role={notice.tone === "error" ? "alert" : "status"}>
      <BannerTitle>{notice.text}</BannerTitle>
      {notice.asksKey && <ApiKeyForm onKey={onKey} />}
      <BannerClose variant={variant} aria-label="Dismiss" onClick={onDismiss} />
    </Banner>
  );
}

function ApiKeyForm({ onKey }: { readonly onKey: (key: string) => void }) {
  return (
    <form
      className="api-key"
      onSubmit={(event) => {
        event.preventDefault();
        const key = new FormData(event.currentTarget).get("key");
        if (typeof key === "string" && key.trim() !== "") onKey(key);
      }}
    >
      <Input name="key" type="password" autoComplete="off" aria-label="API key" required />
      <Button type="submit">Use this key</Button>
    </form>
  );
}
