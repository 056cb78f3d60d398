import type { ReactNode } from "react";

/** The page's icons: 24 x 24, drawn with lines, hidden from screen readers. Their button has the name. */
const shapes = {
  phone: (
    <path d="M6.5 3.5 9 4l1 4-2 1.6a13 13 0 0 0 6.4 6.4L16 14l4 1 .5 2.5A2.5 2.5 0 0 1 18 20.5 15 15 0 0 1 3.5 6a2.5 2.5 0 0 1 3-2.5Z" />
  ),
  hangUp: (
    <path d="M3 14.5c0-2 4-4.5 9-4.5s9 2.5 9 4.5v1.6c0 .7-.6 1.2-1.3 1.1l-3-.5a1 1 0 0 1-.9-1v-2a12 12 0 0 0-7.6 0v2a1 1 0 0 1-.9 1l-3 .5A1.1 1.1 0 0 1 3 16.1Z" />
  ),
  cancel: <path d="M6 6l12 12M18 6 6 18" />,
  microphone: (
    <>
      <rect x="9" y="3" width="6" height="11" rx="3" />
      <path d="M5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21" />
    </>
  ),
  microphoneOff: (
    <>
      <path d="M15 9.5V6a3 3 0 0 0-5.9-.8M9 9v2a3 3 0 0 0 4.5 2.6M5.5 11a6.5 6.5 0 0 0 10.3 5.3M18.5 11c0 1-.2 1.9-.6 2.7M12 17.5V21" />
      <path d="m4 3 16 17" />
    </>
  ),
  stop: <rect x="6" y="6" width="12" height="12" rx="2" />,
  keypad: (
    <path strokeWidth="3" d="M6 5h.01M12 5h.01M18 5h.01M6 11h.01M12 11h.01M18 11h.01M6 17h.01M12 17h.01M18 17h.01" />
  ),
  camera: (
    <>
      <path d="m16 10 5-3v10l-5-3z" />
      <rect x="3" y="6" width="13" height="12" rx="2" />
    </>
  ),
  screen: (
    <>
      <rect x="3" y="4" width="18" height="13" rx="2" />
      <path d="M8 21h8M12 17v4M12 13.5V8m-2.5 2.5L12 8l2.5 2.5" />
    </>
  ),
  send: <path d="M4 12 20 4l-4 16-4.5-6.5L4 12Zm7.5 1.5L20 4" />,
  sun: (
    <>
      <circle cx="12" cy="12" r="4" />
      <path d="M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M18.4 5.6l-1.1 1.1M6.7 17.3l-1.1 1.1" />
    </>
  ),
  moon: <path d="M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5Z" />,
  device: (
    <>
      <rect x="3" y="4" width="18" height="13" rx="2" />
      <path d="M8 21h8M12 17v4" />
    </>
  ),
} as const satisfies Readonly<Record<string, ReactNode>>;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg
      className="icon"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {shapes[name]}
    </svg>
  );
}

/** The page's logo: a voice. Also in `public/favicon.svg`. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" fill="var(--accent)" />
      <path d="M8 14v4M13.3 10v12M18.7 6v20M24 12v8" stroke="var(--on-accent)" strokeWidth="3" strokeLinecap="round" />
    </svg>
  );
}
