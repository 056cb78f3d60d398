import { RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import * as Type from "typebox";

interface FakeOptions {
  readonly greeting: string;
  readonly digits: string | undefined;
  readonly loud: boolean;
}

/** A minimal transport without audio: a start request runs the bot at once. */
const plugin: TransportPlugin<FakeOptions> = {
  apiVersion: 1,
  name: "fake",
  advanced: {
    formerNames: ["forgery"],
    doctor: ({ greeting }) => [
      {
        name: "voice",
        run: () =>
          greeting === ""
            ? { state: "failed", reason: "It has no words.", fix: "Set --fake-greeting." }
            : { state: "passed", detail: greeting },
      },
    ],
  },
  options: {
    greeting: {
      flag: "fake-greeting",
      env: "FAKE_GREETING",
      default: "hello",
      description: "A text",
      schema: Type.String(),
      placeholder: "words",
    },
    digits: { flag: "fake-digits", description: "A number that stays text", schema: Type.String() },
    loud: { flag: "fake-loud", description: "A switch", schema: Type.Boolean(), default: false },
  },
  open(runner, options) {
    function run(body: unknown) {
      const session = runner.createSession({ body });
      session.run({}, () => {
        throw new RunnerError("INTERNAL", "The fake transport has no audio.");
      });
      return session;
    }
    return {
      start({ body }) {
        const { id } = run(body.body === undefined ? undefined : { ...Object(body.body), options });
        return { sessionId: id, body: { sessionId: id } };
      },
      advanced: {
        async direct() {
          await run({ direct: true, options }).ended;
        },
        banner: () => [`POST ${runner.url("/start").href}`],
      },
    };
  },
};
export default plugin;
