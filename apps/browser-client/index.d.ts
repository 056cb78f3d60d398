/**
 * The folder of the built web client: `index.html` and its assets, to be served as they are at any path. Absolute. It
 * exists in an installed package; in a checkout `pnpm build` makes it.
 */
export declare const clientRoot: string;
