import type { CallerSocket, SocketHandlers, SocketRequest, TransportPlugin } from "@pipecat-ts/runner-core";
import type { WebSocketRunnerArguments } from "./arguments.ts";
import { createDecoder } from "./codec.ts";
import { createWebSocketPort } from "./port.ts";

const path = "/ws-client";

/** Calls over plain WebSockets, in Pipecat's protobuf frames. */
const plugin: TransportPlugin = {
  apiVersion: 1,
  name: "websocket",
  // Pipecat's eval harness connects with a plain WebSocket, and its own runner still accepts `-t eval`.
  advanced: { formerNames: ["eval"] },
  open: (runner) => ({
    sockets: [{ path, access: "caller", accept }],
    start({ body, request }) {
      const session = runner.createSession({ body: body.body });
      // Only `wsUrl`: Pipecat's JavaScript client rejects unknown keys.
      return { sessionId: session.id, body: { wsUrl: runner.socketUrl(session, path, request).href } };
    },
    advanced: { banner: () => [`${runner.url(path).href.replace(/^http/, "ws")} accepts protobuf frames`] },
  }),
};
export default plugin;

function accept(socket: CallerSocket, { session }: SocketRequest): SocketHandlers {
  const { logger } = session;
  const decoder = createDecoder((reason) => {
    if (decoder.dropped === 1) logger.warn({ reason }, "message skipped; further ones are only counted");
  });
  const call = session.run<WebSocketRunnerArguments>({ websocket: socket.raw }, (params) =>
    createWebSocketPort(socket, params),
  );
  call.connected();
  return {
    message(data, isBinary) {
      const frame = decoder.decode(data, isBinary);
      if (frame?.kind === "audio") call.audio(frame.audio);
      else if (frame) call.message(frame.message);
    },
    closed() {
      if (decoder.dropped > 0) logger.info({ skippedMessages: decoder.dropped }, "messages skipped");
    },
  };
}
