/** What the kit's buttons that are an icon alone do, by the icon's class. */
const names: Readonly<Record<string, string>> = {
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

/** Gives the kit's nameless controls below `root` their names, now and whenever they change: without, nobody can call them. */
export function nameControls(root: HTMLElement): void {
  const nameAll = () => {
    for (const select of root.querySelectorAll("[role=combobox]:not([aria-label])")) {
      select.setAttribute("aria-label", "How the bot's text is shown");
    }
    for (const button of root.querySelectorAll<HTMLElement>("button, [role=tab]")) {
      const icon = [...(button.querySelector("svg")?.classList ?? [])].find((name) => Object.hasOwn(names, name));
      const name = icon === undefined ? undefined : names[icon];
      if (name === undefined || button.textContent?.trim()) continue;
      if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
    }
  };
  nameAll();
  new MutationObserver(nameAll).observe(root, { childList: true, subtree: true });
}
