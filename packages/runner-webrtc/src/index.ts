export type { IceServer } from "./peer/peer.ts";
