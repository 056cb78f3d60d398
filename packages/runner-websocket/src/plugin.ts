import type {
  CallerSocket,
  SocketHandlers,
  SocketRequest,
  SocketRoute,
  TransportPlugin,
} from "@pipecat-ts/runner-core";
import type { WebSocketRunnerArguments } from "./arguments.ts";
import { createDecoder, isMedia } from "./codec.ts";
import { createEvalCamera } from "./eval-camera.ts";
import { createWebSocketPort } from "./port.ts";
import {
  createResumableSocket,
  createResumptions,
  maxHeldBytes,
  type Resumptions,
  resumeSecret,
} from "./resumption.ts";

const path = "/ws-client";

/**
 * How long a call waits for its first message, which decides the format, in ms. Pipecat's clients send one as soon as the socket is
 * open, so it arrives after one round trip. A caller that sends nothing gets protobuf frames.
 */
const firstMessageMs = 500;

/** Calls over plain WebSockets, in Pipecat's protobuf frames or in RTVI as JSON text. */
const plugin: TransportPlugin = {
  apiVersion: 1,
  name: "websocket",
  // Pipecat's eval harness connects with a plain WebSocket, and its own runner still accepts `-t eval`.
  advanced: { formerNames: ["eval"] },
  open: (runner) => {
    const resumptions = createResumptions();
    const route: SocketRoute = {
      path,
      access: "caller",
      maxPayload: maxHeldBytes,
      accept: (socket, request) => accept(socket, request, resumptions),
      resumes: resumptions.allows,
      secretParameters: ["resume"],
      isMedia,
    };
    return {
      sockets: [route],
      start({ body, request }) {
        const session = runner.createSession({ body: body.body });
        // Only `wsUrl`: Pipecat's JavaScript client rejects unknown keys.
        return { sessionId: session.id, body: { wsUrl: runner.socketUrl(session, path, request).href } };
      },
      advanced: {
        banner: () => [`${runner.url(path).href.replace(/^http/, "ws")} accepts protobuf frames and RTVI as JSON`],
      },
    };
  },
};
export default plugin;

function accept(socket: CallerSocket, request: SocketRequest, resumptions: Resumptions): SocketHandlers {
  // The caller of a bare URL does not know its session's id, without which it cannot resume.
  const secret = request.isAnnounced ? resumeSecret(request.url) : undefined;
  const { session } = request;
  const returned = resumptions.find(session, secret);
  if (returned) {
    returned.socket.replace(socket);
    return { message: returned.message, closed: (code) => returned.socket.closed(socket, code) };
  }
  const { logger } = session;
  const decoder = createDecoder((reason) => {
    if (decoder.dropped === 1) logger.warn({ reason }, "message skipped; further ones are only counted");
  });
  const camera = createEvalCamera();
  const { promise: formatKnown, resolve: resolveFormat } = Promise.withResolvers<void>();
  const resumable = secret === undefined ? undefined : createResumableSocket(socket, session, () => call.left());
  const call = session.run<WebSocketRunnerArguments>({ websocket: socket.raw }, async (params) => {
    await formatKnown;
    return createWebSocketPort(resumable ?? socket, params, decoder, camera);
  });
  const timeout = setTimeout(resolveFormat, firstMessageMs);
  session.onEnd(() => {
    clearTimeout(timeout);
    if (decoder.dropped > 0) logger.info({ skippedMessages: decoder.dropped }, "messages skipped");
  });
  const message: SocketHandlers["message"] = (data, isBinary) => {
    const frame = decoder.decode(data, isBinary);
    if (decoder.format !== undefined) resolveFormat();
    if (frame?.kind === "audio") call.audio(frame.audio);
    else if (frame?.kind === "message") call.message(frame.message);
    else if (frame?.kind === "evalImage") camera.show(frame.image);
    else if (frame?.kind === "evalCancel") void session.end("ended-by-request");
  };
  if (resumable && secret !== undefined) resumptions.add(session, { secret, socket: resumable, message });
  call.connected();
  return {
    message,
    closed(code) {
      resolveFormat();
      return resumable?.closed(socket, code);
    },
  };
}
