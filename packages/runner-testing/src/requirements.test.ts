import { expect, test } from "vitest";
import { requirements, selectRequirements, startRequirements } from "./requirements.ts";
import { createTcpAdapter } from "./test/tcp/caller.ts";
import { interceptUncaughtErrors } from "./uncaught-errors.ts";

test("every requirement has a unique id, a title and a reason", () => {
  expect(new Set(requirements.map(({ id }) => id)).size).toBe(requirements.length);
  for (const { id, title, reason } of requirements) {
    expect(id).toMatch(/^[A-Z]+(-[A-Z]+)*-[0-9]+$/);
    expect(title).toMatch(/\w{3}.*[^.]$/);
    expect(reason).toMatch(/\w{3}.*\.$/);
  }
});

// `vitest -u` writes the page.
test("REQUIREMENTS.md lists the requirements", async () => {
  const rows = requirements.map(({ id, title, reason }) => `| ${id} | ${title} | ${reason} |`);
  const page = `# What every transport must do

Generated from \`src/requirements\`, where the code of each check is.

| id | requirement | reason |
|---|---|---|
${rows.join("\n")}

## How completeness is measured

AUDIO-IN-3, AUDIO-OUT-2 and AUDIO-BOTH-1 play a sweep, whose frequency tells which part of it was heard. They notice every
piece of 20 ms that is lost or repeated, also after G.711 and at any sample rate. Silence within the sweep is a fault if it lasts more
than 10 ms longer than the test's own process was late.

If the adapter sets \`jitterBuffer\`, as those of WebRTC, of Daily with a browser and of LiveKit with a server do, the requirements
tolerate losses, repetitions and pauses up to the limit in the table, plus the time by which the test's own process was late. A
transport that loses every tenth frame fails; one that loses every hundredth frame passes.

## What the contract rules out

The suite has no requirement for these mistakes, because contract version 1 does not let a plugin make them:

- **Running another transport's session.** \`findSession\`, \`admit\` and socket URLs lead to the plugin's own sessions only.
- **Accepting a token for another session.** A credential alone names its session.
- **Forgetting to end the session when the caller leaves.** \`left()\` ends it, and the host calls it when a socket closes.
  A plugin with a server of its own that never calls \`left()\` fails END-1 to END-3.
- **Losing early audio and messages.** \`run()\` returns a \`Call\` that buffers until the bot connects. AUDIO-IN-4 and
  MESSAGE-IN-1 fail a plugin that reads its wire only in \`connect\`.
- **Stopping the server with an exception in a socket handler.** The host owns the listeners, and an exception ends one
  session. FAIL-5 checks servers of the transport's own.
- **Leaving a refused caller's session pending.** \`createSession\` and \`admit\` throw AT_CAPACITY before there is a session,
  and the host ends the session of a socket that it closes.
- **Wrong frame sizes, rates, pacing or event order.** The runner builds the media layer.
`;
  await expect(page).toMatchFileSnapshot("../REQUIREMENTS.md");
});

test("requirements are selected by their ids, or by how these begin", () => {
  const idsOf = (only?: readonly string[]) => selectRequirements(only).map(({ id }) => id);
  expect(idsOf()).toEqual(requirements.map(({ id }) => id));
  expect(idsOf(["INTERRUPT-1", "AUDIO-IN"])).toEqual([1, 2, 3, 4].map((n) => `AUDIO-IN-${n}`).concat("INTERRUPT-1"));
  expect(() => idsOf(["AUDIO", "AUDOI"])).toThrow('"AUDOI"');
});

test("a check starts after the ones before no longer block the event loop", async () => {
  const adapter = createTcpAdapter();
  const events: string[] = [];
  const jobs = ["A-1", "B-1"].map((id) => ({
    adapter,
    requirement: {
      ...{ id, title: "has a title", reason: "It has a reason." },
      async check() {
        events.push(`${id} began`);
        for (let turn = 0; id === "A-1" && turn < 5; turn++) {
          for (const untilMs = performance.now() + 60; performance.now() < untilMs; );
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        events.push(`${id} ended`);
      },
    },
  }));
  const uncaught = interceptUncaughtErrors();
  await Promise.all(startRequirements(jobs, uncaught).outcomes.values());
  uncaught.release();
  expect(events).toEqual(["A-1 began", "A-1 ended", "B-1 began", "B-1 ended"]);
});

test("stopped requirements start no further check, and wait for the one in progress", async () => {
  const adapter = createTcpAdapter();
  const events: string[] = [];
  const firstEnds = Promise.withResolvers<void>();
  const jobs = ["A-1", "B-1"].map((id) => ({
    adapter,
    requirement: {
      ...{ id, title: "has a title", reason: "It has a reason." },
      async check() {
        events.push(`${id} began`);
        await firstEnds.promise;
        events.push(`${id} ended`);
      },
    },
  }));
  const uncaught = interceptUncaughtErrors();
  const { stop } = startRequirements(jobs, uncaught, { sequential: true });
  await expect.poll(() => events).toEqual(["A-1 began"]);
  const stopped = stop();
  firstEnds.resolve();
  await stopped;
  uncaught.release();
  expect(events).toEqual(["A-1 began", "A-1 ended"]);
});
