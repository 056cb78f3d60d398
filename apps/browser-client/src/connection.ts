import { type DeviceError, type PipecatClient, RTVIEvent, type RTVIMessage } from "@pipecat-ai/client-js";
import { apiKeyHeaders } from "./api.ts";
import type { Console } from "./consoles.ts";
import type { CallMedia } from "./media/call-media.ts";
import {
  botNotReady,
  cameraFailed,
  connectFailed,
  connectionLost,
  microphoneFailed,
  type Notice,
  reported,
  startFailed,
  webrtcBotLeft,
} from "./notices.ts";

const connectTimeoutS = 15;
const botReadyTimeoutS = 10;

/**
 * Supervises one client: shows a notice for every failure, closes the microphone and resets the client, so that the user can
 * press Connect again. `notify(undefined)` removes the notice when a new attempt starts.
 *
 * The template calls `startBot` and `connect` itself. It answers their errors with a reference to the browser's console, or
 * with an endless spinner. Therefore both methods are replaced on this client. The replacements never reject: they show a
 * notice and leave the template waiting.
 */
export function superviseClient(
  client: PipecatClient,
  { connectParams, timedOut }: Pick<Console, "connectParams" | "timedOut">,
  media: Pick<CallMedia, "disconnect">,
  notify: (notice: Notice | undefined) => void,
): void {
  const startBot = client.startBot.bind(client);
  const connect = client.connect.bind(client);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let connected = false;
  let failed = false;
  let disconnected = false;

  const after = (seconds: number, act: () => void) => {
    clearTimeout(timer);
    timer = setTimeout(act, seconds * 1000);
  };
  const fail = async (notice: Notice): Promise<never> => {
    clearTimeout(timer);
    // Later failures are consequences of the first one.
    if (!failed) notify(notice);
    failed = true;
    if (client.state !== "disconnected" && client.state !== "disconnecting") await client.disconnect();
    return new Promise<never>(() => undefined);
  };

  client.startBot = async (request) => {
    notify(undefined);
    failed = false;
    disconnected = false;
    try {
      return connectParams(await startBot({ ...request, headers: apiKeyHeaders() }));
    } catch (error) {
      return fail(startFailed(String(request.endpoint), error));
    }
  };
  client.connect = async (params) => {
    after(connectTimeoutS, () => void fail(timedOut(connectTimeoutS)));
    try {
      return await connect(params);
    } catch (error) {
      return fail(connectFailed(await rejectionOf(error)));
    }
  };

  client.on(RTVIEvent.TransportStateChanged, (state) => {
    // If it is disconnected while it connects, the library becomes ready anyway.
    if (state === "ready" && disconnected) queueMicrotask(() => void client.disconnect());
    else if (state === "ready") after(botReadyTimeoutS, () => notify(botNotReady(botReadyTimeoutS)));
    // The WebRTC transport could not reconnect. Before the call, `connect` rejects as well. The transport closes its
    // connections right after this event; a disconnect before that would leave the old one open.
    if (state === "error" && connected) queueMicrotask(() => void fail(connectionLost));
    if (state === "disconnected") {
      disconnected = true;
      clearTimeout(timer);
      // The WebRTC transport leaves it open if it was not connected yet.
      void media.disconnect();
    }
    connected = state === "ready";
  });
  client.on(RTVIEvent.BotDisconnected, () => {
    if (!failed) notify(webrtcBotLeft);
  });
  client.on(RTVIEvent.BotReady, () => clearTimeout(timer));
  client.on(RTVIEvent.DeviceError, (error: DeviceError) => {
    if (error.devices.includes("mic")) notify(microphoneFailed(error.type, error.message));
    if (error.devices.includes("cam")) notify(cameraFailed(error.type, error.message));
  });
  client.on(RTVIEvent.Error, ({ type, data }: RTVIMessage) => {
    // The `error-response` of startBot is already handled above.
    if (type === "error-response") return;
    failed = Object(data).fatal === true;
    notify(reported(textOf(data)));
  });
  client.on(RTVIEvent.MessageError, ({ data }: RTVIMessage) => notify(reported(textOf(data))));
}

/** Returns the runner's reason for rejecting a WebRTC offer. The library's error has only the status, and the response as its cause. */
async function rejectionOf(error: unknown): Promise<unknown> {
  const { cause } = Object(error) as { readonly cause?: unknown };
  if (!(cause instanceof Response)) return error;
  const body: unknown = await cause.json().catch(() => undefined); // a proxy may answer with something other than JSON
  const { detail } = Object(body) as { readonly detail?: unknown };
  return typeof detail === "string" ? new Error(detail) : error;
}

function textOf(data: unknown): string {
  const { error, message } = Object(data) as { readonly error?: unknown; readonly message?: unknown };
  return String(error ?? message ?? "unknown error");
}
