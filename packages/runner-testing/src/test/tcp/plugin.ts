import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { RunnerError, type SessionArguments, type TransportPlugin } from "@pipecat-ts/runner-core";
import { type Caller, createMediaTransport, createPacer, type MediaPort } from "@pipecat-ts/runner-media";
import Type from "typebox";
import { createLine, createPort, type Hello, type Line } from "./line.ts";

/** The toy's settings. */
export interface TcpOptions {
  readonly port: number;
  /** Signs the tickets by which callers come in. Default: one made anew at every start. */
  readonly key?: string | undefined;
}

/** How a test may spoil what goes between the wire and media. */
export interface Spoiler {
  port?(port: MediaPort): MediaPort;
  caller?(caller: Caller): Caller;
}

/** How long a connection may take to say who it is. */
const helloMs = 2_000;

/** The toy: PCM over a TCP port of its own. Small, and yet all that a transport must do. */
export function createTcpPlugin(spoiler: Spoiler = {}): TransportPlugin<TcpOptions> {
  return {
    name: "tcp",
    options: {
      port: {
        flag: "tcp-port",
        env: "TCP_PORT",
        default: 0,
        description: "Port for callers by plain TCP",
        schema: Type.Integer({ minimum: 0, maximum: 65_535 }),
      },
      key: {
        flag: "tcp-key",
        env: "TCP_KEY",
        description: "Key that signs the tickets of callers by TCP",
        schema: Type.String({ minLength: 8 }),
        secret: true,
      },
    },
    check({ key }) {
      if (key !== undefined) return { state: "ready" };
      const fix = "Set --tcp-key or TCP_KEY.";
      return { state: "limited", reason: "tickets are worth nothing after a restart", fix };
    },
    async open(runner, options) {
      const { key = randomUUID() } = options;
      const ticketOf = (sessionId: string) => createHmac("sha256", key).update(sessionId).digest("base64url");
      const sockets = new Set<Socket>();
      const pacer = runner.shared("pacer", createPacer);
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        void answer(createLine(socket));
      });
      server.listen(options.port, runner.settings.host);
      await once(server, "listening");
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : options.port;

      async function answer(line: Line): Promise<void> {
        const hello = await helloOf(line);
        const session =
          hello && hello.ticket === ticketOf(hello.session) ? runner.findSession(hello.session) : undefined;
        if (session?.state !== "pending") return await line.hangUp();
        session.own(() => line.hangUp());
        void line.left.then(() => session.end("caller-left"));
        try {
          session.run<SessionArguments<"tcp">>({ transport: "tcp" }, async (params) =>
            createMediaTransport({
              name: "tcp",
              params,
              pacer,
              logger: session.logger,
              open(caller) {
                line.attach(spoiler.caller?.(caller) ?? caller);
                return spoiler.port?.(createPort(line)) ?? createPort(line);
              },
            }),
          );
        } catch (err) {
          session.logger.warn({ err }, "the caller is turned away");
          await line.hangUp();
        }
      }

      return {
        start({ body }) {
          if (body.greeting !== undefined && typeof body.greeting !== "string") {
            throw new RunnerError("BODY_INVALID", "greeting must be text.", { fix: "Leave it out or send a string." });
          }
          const { id } = runner.createSession({ body: body.body });
          return { sessionId: id, body: { host: runner.settings.host, port, session: id, ticket: ticketOf(id) } };
        },
        banner: () => [`tcp://${runner.settings.host}:${port}`],
        async close() {
          for (const socket of sockets) socket.destroy();
          if (!server.listening) return;
          server.close();
          await once(server, "close");
        },
      };
    },
  };
}

/** What the caller says first; `undefined` when that takes too long. */
async function helloOf(line: Line): Promise<Hello | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), helloMs);
  });
  const hello = await Promise.race([line.hello, silent]);
  clearTimeout(timer);
  return hello;
}
