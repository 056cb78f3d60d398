import {
  type MediaPort,
  type OpenTransport,
  RunnerError,
  type SessionArguments,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";

/** What a bot receives from the fake transport. */
export interface FakeArguments extends SessionArguments<"fake"> {
  readonly socket: WebSocket;
}

/** A transport with JSON messages on a WebSocket, and no audio. */
export function fakePlugin(
  changes: Partial<TransportPlugin> & {
    readonly rank?: number;
    readonly alwaysOpen?: boolean;
    readonly opened?: Partial<OpenTransport>;
  } = {},
): TransportPlugin {
  const { opened, rank, alwaysOpen, ...plugin } = changes;
  return {
    apiVersion: 1,
    name: "fake",
    open: (runner): OpenTransport => ({
      start({ body }) {
        const session = runner.createSession({ body: body.body });
        return { sessionId: session.id, body: { id: session.id, credential: runner.credential(session) } };
      },
      sockets: [
        {
          path: "/fake",
          access: "caller",
          maxPayload: 65_536,
          accept(socket, { session }) {
            const port: MediaPort = {
              sampleRates: [16_000],
              frameMs: 20,
              send: () => undefined,
              sendMessage: async (message) => await socket.write(JSON.stringify(message)),
              close: (reason, deadline) => socket.close(reason, deadline),
            };
            const call = session.run<FakeArguments>({ socket: socket.raw }, () => port);
            call.connected();
            return { message: (data) => call.message(JSON.parse(String(data))) };
          },
        },
      ],
      ...opened,
    }),
    ...plugin,
    ...((rank !== undefined || alwaysOpen !== undefined) && {
      advanced: { ...(rank !== undefined && { rank }), ...(alwaysOpen !== undefined && { alwaysOpen }) },
    }),
  };
}

/** For bots that never connect. */
export const neverConnected = (): never => {
  throw new RunnerError("INTERNAL", "The bot did not ask for it.");
};
