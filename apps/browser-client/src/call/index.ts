export { Call } from "./call.ts";
export { consoles } from "./consoles.ts";
