import { type ReactNode, useState } from "react";
import { applyTheme, nextTheme, storedTheme, type Theme } from "../theme.ts";
import { Icon, type IconName, Logo } from "./icons.tsx";

const icons: Readonly<Record<Theme, IconName>> = { system: "device", light: "sun", dark: "moon" };

/** The line at the top: logo and name, `children`, and the theme. */
export function Header({ children }: { readonly children: ReactNode }) {
  const [theme, setTheme] = useState(storedTheme);
  const onTheme = () => {
    const next = nextTheme(theme);
    applyTheme(next);
    setTheme(next);
  };
  return (
    <header className="header">
      <Logo />
      <span className="brand">Pipecat Runner</span>
      <div className="header-controls">
        {children}
        <button
          type="button"
          className="icon-button"
          aria-label={`Theme: ${theme}`}
          title={`Theme: ${theme}`}
          onClick={onTheme}
        >
          <Icon name={icons[theme]} />
        </button>
      </div>
    </header>
  );
}
