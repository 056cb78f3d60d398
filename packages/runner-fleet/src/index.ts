export { findNode, requestDrain, waitUntilLeft } from "./control.ts";
export { createMemoryDirectory, type Directory, type NodeReport, parseNodeReport } from "./directory.ts";
export { createFleet, type FleetOptions } from "./fleet.ts";
export { freePlaces } from "./placement.ts";
