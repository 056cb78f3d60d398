import { expect, test } from "vitest";
import { simulatePipecatCloud } from "../../runner-host/src/test/pipecat-cloud.ts";
import { bin, startProgram } from "./test/program.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";

/** Ends when its caller posts to `hang-up`, and knows nothing of the platform. */
const botSource = `
export async function bot(args) {
  console.log("called " + JSON.stringify({ id: args.sessionId, wish: args.body.wish }));
  await new Promise((resolve) => {
    args.session.onRequest((ctx) => {
      if (ctx.params.path !== "hang-up") return;
      ctx.body = {};
      resolve();
    });
  });
}`;

test("--cloud serves the platform on PORT, and SIGTERM lets the session of POST /bot end", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": botSource });
  const program = startProgram(folder, [bin, "--cloud"], { PORT: "0" });
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)(?:.|\n)*Up to 1 call/);
  expect(program.stderr).not.toContain("--api-key");
  const platform = simulatePipecatCloud(new URL(url));
  const session = platform.start({ body: { wish: "tea" } });
  const [, facts = ""] = await program.printed(/called (.+)\n/);
  expect(JSON.parse(facts)).toEqual({ id: session.id, wish: "tea" });
  program.signal("SIGTERM");
  await program.printed(/waiting for calls to end/);
  expect((await fetch(new URL("/readyz", url))).status).toBe(503);
  expect((await fetch(new URL("/livez", url))).status).toBe(200);
  expect((await session.fetch("hang-up", { method: "POST" })).status).toBe(200);
  expect(await session.ended).toEqual({ status: 200, body: {} });
  expect(await program.ended).toBe(0);
});
