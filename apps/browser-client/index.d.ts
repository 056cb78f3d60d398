/**
 * Absolute path of the built web client: `index.html` and its assets, which can be served at any path. The folder exists in
 * installed packages. In a checkout, `pnpm build` creates it.
 */
export declare const clientRoot: string;

/** The transports over which the page can talk to a bot, the preferred one first, and the package of each. */
export declare const clientTransports: {
  readonly webrtc: string;
  readonly websocket: string;
};
