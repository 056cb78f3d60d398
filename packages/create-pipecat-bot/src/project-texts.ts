import type { Choices, Manager } from "./choices.ts";

// The files of a project that are the same for all bots. A template's own files come from `apps`.

export const gitignoreText = "node_modules/\ndist/\n.env\n*.log\n";

export const dockerignoreText = "node_modules\n.git\n.env\nDockerfile\n*.test.*\n*.log\n";

export const tsconfigText: string = `${JSON.stringify(
  {
    compilerOptions: {
      target: "es2024",
      module: "nodenext",
      types: ["node"],
      strict: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
      erasableSyntaxOnly: true,
      rewriteRelativeImportExtensions: true,
      noEmit: true,
      skipLibCheck: true,
    },
    exclude: ["node_modules", "dist"],
  },
  null,
  2,
)}\n`;

/** The commands of a package manager. */
export function commandsOf(manager: Manager): { readonly install: string; run(script: string): string } {
  return {
    install: `${manager} install`,
    run: (script) =>
      manager === "npm" && !["start", "test"].includes(script) ? `npm run ${script}` : `${manager} ${script}`,
  };
}

const installs: Readonly<Record<Manager, readonly string[]>> = {
  npm: ["COPY package.json package-lock.json ./", "RUN npm ci --omit=dev"],
  pnpm: ["COPY package.json pnpm-*.yaml ./", "RUN npx -y pnpm@12 install --frozen-lockfile --prod"],
};

export function dockerfileText(manager: Manager): string {
  return `# docker run --init --env-file .env -p 7860:7860 …      Docker keeps quotes: write the values in .env without them.
# Required before the internet reaches it: https://github.com/pipecat-ts/pipecat-runner/blob/main/docs/production.md

# The cache of the package manager stays in this stage.
FROM node:24-slim AS install
WORKDIR /app
${installs[manager].join("\n")}

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production PIPECAT_RUNNER_HOST=0.0.0.0
COPY --from=install /app/node_modules node_modules
COPY . .
# The user node, as a number, so that Kubernetes can check that it is not root.
USER 1000
EXPOSE 7860
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \\
  CMD ["node", "-e", "fetch('http://localhost:7860/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# docker stop sends SIGTERM, which lets calls end, for at most 1,800 s. Give it that time: docker stop -t 1860 …
STOPSIGNAL SIGTERM
CMD ["node_modules/.bin/pipecat-runner"]
`;
}

const project = "https://github.com/pipecat-ts/pipecat-runner";

export function readmeText({ name, template, manager, language, transports }: Choices): string {
  const { install, run } = commandsOf(manager);
  const variables = variablesOf(template.files[language][".env.example"]);
  const hasPage = transports.some(({ name: transport }) => transport === "webrtc" || transport === "websocket");
  const callable = transports.find(({ hasCaller }) => hasCaller);
  const rows = [
    ["talk to the bot", `\`${run("start")}\`${hasPage ? ", then open <http://localhost:7860>" : ""}`],
    ["run changed code in new calls, without a restart", `\`${run("dev")}\``],
    ["test the bot with a simulated caller", `\`${run("test")}\``],
    ...(callable ? [["call the running bot, and measure it", `\`npx pipecat-runner call ${callable.name}\``]] : []),
    ...(language === "ts" ? [["check the types", `\`${run("types")}\``]] : []),
    ["see the flags of the runner and its transports", "`npx pipecat-runner --help`"],
    ["build an image", `\`docker build -t ${name} .\``],
  ];
  return `# ${name}

A voice bot on [pipecat-runner](${project}): \`bot.${language}\` has one function, \`bot(args)\`, which runs once for each caller.
${
  variables.length === 0
    ? ""
    : `
## Keys

Copy \`.env.example\` to \`.env\` and fill in ${variables.map((variable) => `\`${variable}\``).join(", ")}. The bot also starts without, and says
what is missing. The tests need no key: they run against servers on this machine that behave as the vendors
document. Nobody has run them against the vendors themselves yet.
`
}
## Commands

\`${install}\` first.

| to | run |
|---|---|
${rows.map(([to, command]) => `| ${to} | ${command} |`).join("\n")}

## Next

- Add a transport: \`${manager} ${manager === "npm" ? "install" : "add"} @pipecat-ts/runner-telephony-twilio\`, and a line with its params in \`bot.${language}\`.
  [All transports](${project}#transports)
- [Before a bot is reachable from the internet](${project}/blob/main/docs/production.md)
- [What a bot can do](${project}/blob/main/docs/bots/basics.md), [error codes](${project}/blob/main/docs/errors.md)
`;
}

function variablesOf(example = ""): readonly string[] {
  return [...example.matchAll(/^([A-Z][A-Z0-9_]*)=/gm)].map(([, name = ""]) => name);
}

/** What coding agents get wrong in TypeScript; empty for JavaScript. */
function typescriptRules({ manager, language }: Choices): string {
  if (language === "js") return "";
  return `
- Node runs TypeScript without a build: no enums, no parameter properties, no namespaces; relative imports end in \`.ts\`.
- Run \`${commandsOf(manager).run("types")}\` after each change.`;
}

export function agentsText(choices: Choices): string {
  const { manager, language } = choices;
  const { run } = commandsOf(manager);
  const generated = language === "ts" ? " `pipecat-env.d.ts` is generated; do not edit it." : "";
  return `# For coding agents

- \`bot.${language}\` exports \`bot(args)\`. It runs once for each caller, and the call ends when it returns.
- Run \`${run("test")}\` after each change. Tests call the bot with a simulated caller (\`callBot\`) and must not contact a vendor.${typescriptRules(choices)}${generated}
- \`transport.input\` is the caller's audio, \`transport.speak()\` starts an utterance, \`transport.interrupt()\` stops it.
  Audio is PCM16; rates are in Hz and durations in ms.
- One process serves many calls: keep the state of a call inside \`bot\`, and release resources with \`args.session.onEnd\`.
- An exception ends its own call. In callbacks of other libraries, wrap the listener with \`args.session.bind\`.
- Never log phone numbers or keys. Log with \`args.session.logger\`.
- Reference: ${project}
`;
}

export function transportAgentsText(choices: Choices): string {
  const { manager, language } = choices;
  const { run } = commandsOf(manager);
  return `# For coding agents

- \`src/plugin.${language}\` is the transport. \`src/conformance.test.${language}\` plays the caller: change both when the wire format changes.
- Run \`${run("test")}\` after each change. It runs the conformance suite: fix the transport instead of the suite.${typescriptRules(choices)}
- The runner checks keys and tokens, buffers, resamples, paces and interrupts. The transport only converts between wire and frames.
- Audio is PCM16; rates are in Hz and durations in ms.
- Bytes from a caller are untrusted: ignore messages that are malformed, and set a bound for every length.
- \`@pipecat-ts/runner-core\` stays a peer dependency, because a second copy has other types.
- Never log phone numbers or keys. Log with \`runner.logger\` or \`session.logger\`.
- Reference: ${project}/blob/main/docs/writing-a-transport.md
`;
}

export function transportReadmeText({ name, manager, language }: Choices, transport: string): string {
  const { install, run } = commandsOf(manager);
  const build = language === "ts" ? `\n| compile it for npm | \`${run("build")}\` |` : "";
  return `# ${name}

A transport for [pipecat-runner](${project}): it connects callers to bots.

| to | run |
|---|---|
| install | \`${install}\` |
| run the conformance suite | \`${run("test")}\` |
| start a bot that plays back the caller's audio, on this transport | \`${run("start")}\` |${build}

\`POST http://localhost:7860/start\` with the body \`{"transport": "${transport}"}\` returns \`wsUrl\`, the WebSocket to call the started bot on.

\`src/plugin.${language}\` has the transport, \`src/conformance.test.${language}\` a simulated caller. Replace the wire format in both.
[Writing a transport](${project}/blob/main/docs/writing-a-transport.md) explains each part, options, servers of your own, and
vendors' webhooks.
`;
}
