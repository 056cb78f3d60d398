/** A bot and transports for the tests of thrown errors: WebSocket callers hear an echo, callers at `/failing` choose an error. */
import { EventEmitter } from "node:events";
import type { MediaPort, SessionArguments, TransportParams, TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import type {} from "@pipecat-ts/runner-websocket";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { createTransport, type RunnerArguments } from "pipecat-runner";

interface FailingArguments extends SessionArguments<"failing"> {
  readonly vendor: EventEmitter;
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    failing: FailingArguments;
  }
  interface TransportParamsByTransport {
    failing: TransportParams;
  }
}

/** Where the error is thrown: the message that a caller at `/failing` sends. */
export const failures = ["plugin's handler", "plugin's SDK callback", "bot's listener", "bot's SDK callback"] as const;

function fail(where: (typeof failures)[number]): never {
  throw new Error(`thrown in the ${where}`);
}

/** The message of a caller chooses the error. SDK callbacks run outside of the session's asynchronous scope. */
const failing: TransportPlugin = {
  apiVersion: 1,
  name: "failing",
  open() {
    const vendor = new EventEmitter();
    const events: string[] = [];
    const timer = setInterval(() => {
      for (const event of events.splice(0)) vendor.emit(event);
    }, 5);
    return {
      sockets: [
        {
          path: "/failing",
          access: "caller",
          accept(socket, { session }) {
            const port = {
              sampleRates: [16_000],
              frameMs: 20,
              send: () => undefined,
              sendMessage: async (message) => socket.send(JSON.stringify(message)),
              close: (reason, deadline) => socket.close(reason, deadline),
            } as const satisfies MediaPort;
            const call = session.run<FailingArguments>({ vendor }, () => port);
            vendor.on(
              `plugin ${session.id}`,
              session.bind(() => fail("plugin's SDK callback")),
            );
            session.onEnd(() => {
              vendor.removeAllListeners(`plugin ${session.id}`).removeAllListeners(`bot ${session.id}`);
            });
            call.connected();
            return {
              message(data) {
                const where = String(data);
                if (where === "plugin's handler") fail(where);
                if (where === "plugin's SDK callback") events.push(`plugin ${session.id}`);
                if (where === "bot's listener") call.message({});
                if (where === "bot's SDK callback") events.push(`bot ${session.id}`);
              },
            };
          },
        },
      ],
      close: () => clearInterval(timer),
    };
  },
};

export const plugins: readonly TransportPlugin[] = [websocket, failing];

export async function bot(args: RunnerArguments): Promise<void> {
  const transport = await createTransport(args, { websocket: () => ({}), failing: () => ({}) });
  if (args.transport === "failing") {
    args.vendor.on(
      `bot ${args.session.id}`,
      args.session.bind(() => fail("bot's SDK callback")),
    );
    transport.on("appMessage", () => fail("bot's listener"));
    await transport.sendMessage("ready");
  }
  await transport.input.pipeTo(transport.output);
}

/** As a program: an embedded runner without handlers for signals and uncaught errors. */
if (import.meta.main) {
  const runner = createRunner({ bot, plugins: [...plugins], port: 0 });
  await runner.listen();
  console.log(`http://localhost:${runner.url.port}`);
}
