import { join } from "node:path";

/** The folder of the page that bots sit in: one above both `src` and `dist`. */
export function pageFolder(): string {
  return join(import.meta.dirname, "../page");
}
