import { usePipecatClient, usePipecatClientTransportState } from "@pipecat-ai/client-react";
import { Button } from "@pipecat-ai/voice-ui-kit";

/**
 * Asks the bot to stop speaking, by RTVI's client message "interrupt". RTVI has no message of its own for that: a bot that
 * listens for none says so.
 */
export function InterruptButton() {
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
