import { expect, test } from "vitest";
import { openCall } from "../../test/peer-fixture.ts";

/** The names and passwords in an SDP, without repetition. */
function read(sdp: string, name: "ice-ufrag" | "ice-pwd"): Set<string> {
  return new Set(Array.from(sdp.matchAll(new RegExp(`a=${name}:(.*)\r\n`, "g")), ([, value = ""]) => value));
}

test("each answer has one name of at least 24 bits and one password of at least 128, in hexadecimal digits", async () => {
  const call = await openCall();
  const restarted = await call.peer.answer(await call.caller.offer({ iceRestart: true }));
  const answers = [call.caller.connection.remoteDescription?.sdp ?? "", restarted];
  for (const answer of answers) {
    expect([...read(answer, "ice-ufrag")]).toEqual([expect.stringMatching(/^[\da-f]{6,}$/)]);
    expect([...read(answer, "ice-pwd")]).toEqual([expect.stringMatching(/^[\da-f]{32,}$/)]);
  }
  expect(new Set(answers.flatMap((answer) => [...read(answer, "ice-ufrag")])).size).toBe(2);
  const ufrags = new Set(Array.from(restarted.matchAll(/ ufrag (\w+)/g), ([, value = ""]) => value));
  expect([...ufrags].filter((value) => !read(restarted, "ice-ufrag").has(value))).toEqual([]);
  await call.caller.accept(restarted);
});
