import { Banner, BannerClose, BannerTitle } from "@pipecat-ai/voice-ui-kit";
import type { Notice } from "./messages.ts";

/** A line above the page that says what happened, until it is dismissed. */
export function NoticeBanner({ notice, onDismiss }: { readonly notice: Notice; readonly onDismiss: () => void }) {
  const variant = notice.tone === "error" ? "destructive" : "primary";
  return (
    <Banner variant={variant} className="notice" role={notice.tone === "error" ? "alert" : "status"}>
      <BannerTitle>{notice.text}</BannerTitle>
      <BannerClose variant={variant} aria-label="Dismiss" onClick={onDismiss} />
    </Banner>
  );
}
