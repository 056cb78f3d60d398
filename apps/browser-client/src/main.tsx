import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@pipecat-ai/voice-ui-kit/styles.css";
import "./style.css";
import { App } from "./app.tsx";

/** Accessible names for the UI kit's icon buttons, by the icon's class. */
const iconNames: Readonly<Record<string, string>> = {
  "lucide-bot": "Bot",
  "lucide-chevron-down": "Choose a microphone",
  "lucide-chevrons-left-right-ellipsis": "Events",
  "lucide-info": "Details",
  "lucide-messages-square": "Conversation",
  "lucide-mic": "Mute the microphone",
  "lucide-mic-off": "Unmute the microphone",
  "lucide-panel-left-close": "Show details",
  "lucide-panel-right-close": "Hide details",
  "lucide-send": "Send",
};

const root = document.getElementById("root");
if (root) {
  nameControls(root.ownerDocument.body);
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

/** Adds accessible names to the UI kit's unnamed controls, now and after every change of the page. */
function nameControls(root: HTMLElement): void {
  const nameAll = () => {
    for (const select of root.querySelectorAll("[role=combobox]:not([aria-label])")) {
      select.setAttribute("aria-label", "How the bot's text is shown");
    }
    for (const button of root.querySelectorAll<HTMLElement>("button, [role=tab]")) {
      const icon = [...(button.querySelector("svg")?.classList ?? [])].find((name) => Object.hasOwn(iconNames, name));
      const name = icon === undefined ? undefined : iconNames[icon];
      if (name === undefined || button.textContent?.trim()) continue;
      if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
    }
  };
  nameAll();
  new MutationObserver(nameAll).observe(root, { childList: true, subtree: true });
}
