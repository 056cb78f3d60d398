import { createHash } from "node:crypto";

const style = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color-scheme: light dark; }
code, pre { font-family: ui-monospace, monospace; }
pre { overflow: auto; padding: 0.5rem; border: 1px solid; }
summary { cursor: pointer; }
[hidden] { display: none; }
`;

/** Only text nodes: nothing in the document becomes markup. */
const script = `
const form = document.querySelector("form");
const notice = document.querySelector("[role=status]");
const main = document.querySelector("main");

function element(name, text, ...children) {
  const node = document.createElement(name);
  node.append(text, ...children);
  return node;
}

function operation(method, path, { summary = "", description = "", requestBody, security = [] }) {
  const details = element("details", "", element("summary", "", element("code", method.toUpperCase() + " " + path), " " + summary));
  if (description) details.append(element("p", description));
  if (security.length > 0) details.append(element("p", "Requires the API key."));
  for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
    details.append(element("p", "Body: " + type), element("pre", JSON.stringify(schema, null, 2)));
  }
  return details;
}

function show({ info, tags, paths }) {
  document.querySelector("h1").textContent = info.title + " " + info.version;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, described]) => ({ method, path, described })));
  main.replaceChildren(...tags.map(({ name }) => element("section", "", element("h2", name),
    ...operations.filter(({ described }) => described.tags.includes(name))
      .map(({ method, path, described }) => operation(method, path, described)))));
}

async function load(key) {
  const headers = key ? { authorization: "Bearer " + key } : {};
  const response = await fetch("openapi.json", { headers });
  const reply = await response.json();
  form.hidden = response.status !== 401;
  notice.textContent = response.ok ? "" : reply.detail;
  if (response.ok) show(reply);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  load(new FormData(form).get("key")).catch(fail);
});
function fail(error) {
  notice.textContent = "The document cannot be loaded: " + error.message;
}
load().catch(fail);
`;

/** The page at `/docs`. It contains everything but the document, which it loads from `openapi.json` beside it. */
export const docsPage: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>pipecat-runner</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<h1>pipecat-runner</h1>
<p><a href="openapi.json">openapi.json</a></p>
<p role="status"></p>
<form hidden><label>API key <input name="key" type="password" autocomplete="off" required></label> <button>Show</button></form>
<main></main>
<script>${script}</script>
</body>
</html>
`;

const hashOf = (content: string): string => `'sha256-${createHash("sha256").update(content).digest("base64")}'`;

/** The Content-Security-Policy of the page: its own script and style, and requests to its own server. */
export const docsPolicy: string = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "img-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
