export { createOpenApi, type OpenApiFacts, type OpenApiRoute, type OpenApiSocket } from "./document.ts";
export { docsPage, docsPolicy } from "./page.ts";
