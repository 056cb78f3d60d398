import { Banner, BannerClose, BannerTitle } from "@pipecat-ai/voice-ui-kit";
import { ApiKeyForm } from "./api-key-form.tsx";
import type { Notice } from "./messages.ts";

/** A line above the page that says what happened, until it is dismissed; with a field for the key where one is asked for. */
export function NoticeBanner(props: {
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
