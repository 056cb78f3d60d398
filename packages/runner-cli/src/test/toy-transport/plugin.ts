import { RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import Type from "typebox";

interface ToyOptions {
  readonly greeting: string;
  readonly digits: string | undefined;
  readonly loud: boolean;
}

/** The least of a transport: a start request runs the bot at once, and nobody hears it. */
const plugin: TransportPlugin<ToyOptions> = {
  name: "toy",
  options: {
    greeting: {
      flag: "toy-greeting",
      env: "TOY_GREETING",
      default: "hello",
      description: "What the toy says",
      schema: Type.String(),
      placeholder: "words",
    },
    digits: { flag: "toy-digits", description: "A number that is text", schema: Type.String() },
    loud: { flag: "toy-loud", description: "Say it loudly", schema: Type.Boolean(), default: false },
  },
  open(runner, options) {
    function run(body: unknown) {
      const session = runner.createSession({ body });
      session.run({ transport: "toy" }, async () => {
        throw new RunnerError("INTERNAL", "The toy carries no audio.");
      });
      return session;
    }
    return {
      start({ body }) {
        const { id } = run(body.body === undefined ? undefined : { ...Object(body.body), options });
        return { sessionId: id, body: { sessionId: id } };
      },
      async direct() {
        await run({ direct: true, options }).ended;
      },
      banner: () => [`POST ${runner.urlFor("/start").href}`],
      async close() {
        // Nothing was opened.
      },
    };
  },
};
export default plugin;
