import { fileURLToPath } from "node:url";

export const clientRoot = fileURLToPath(new URL("dist", import.meta.url));
