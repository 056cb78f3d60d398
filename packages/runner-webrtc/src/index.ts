export type { IceServer } from "./peer.ts";
