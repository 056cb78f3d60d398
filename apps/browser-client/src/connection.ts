import { type DeviceError, type PipecatClient, RTVIEvent, type RTVIMessage } from "@pipecat-ai/client-js";
import { apiKeyHeaders } from "./api-key.ts";
import type { Console } from "./consoles/console.ts";
import type { CallMedia } from "./media/call-media.ts";
import {
  botSilent,
  connectFailed,
  lost,
  microphoneFailed,
  type Notice,
  peerLeft,
  reported,
  startFailed,
} from "./messages.ts";

const connectTimeoutS = 15;
const botReadyTimeoutS = 10;

/**
 * Watches over one client: puts whatever goes wrong into words, and brings the client back to where Connect can be
 * pressed, its microphone closed. `tell(undefined)` takes back what was told, as a new attempt begins.
 *
 * The template calls `startBot` and `connect` itself and would answer their errors with a line that sends the person to
 * the web console, and with a spinner where the library forgets its state. So both are replaced on this one client, by
 * ones that never reject: what they cannot do they tell, and then leave the template waiting.
 */
export function superviseClient(
  client: PipecatClient,
  { connectParams, timedOut }: Pick<Console, "connectParams" | "timedOut">,
  media: Pick<CallMedia, "disconnect">,
  tell: (notice: Notice | undefined) => void,
): void {
  const startBot = client.startBot.bind(client);
  const connect = client.connect.bind(client);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let talking = false;
  let failed = false;
  let over = false;

  const after = (seconds: number, act: () => void) => {
    clearTimeout(timer);
    timer = setTimeout(act, seconds * 1000);
  };
  const fail = async (notice: Notice): Promise<never> => {
    clearTimeout(timer);
    // What fails afterwards comes of that.
    if (!failed) tell(notice);
    failed = true;
    if (client.state !== "disconnected" && client.state !== "disconnecting") await client.disconnect();
    return new Promise<never>(() => undefined);
  };

  client.startBot = async (request) => {
    tell(undefined);
    failed = false;
    over = false;
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
      return fail(connectFailed(await refusalOf(error)));
    }
  };

  client.on(RTVIEvent.TransportStateChanged, (state) => {
    // Disconnected while it still connected, the library finds itself ready all the same once that is done.
    if (state === "ready" && over) queueMicrotask(() => void client.disconnect());
    else if (state === "ready") after(botReadyTimeoutS, () => tell(botSilent(botReadyTimeoutS)));
    // The WebRTC transport's last word when it could not connect again; before the call, connect rejects as well. It closes
    // its connections right after this word, and would leave the old one open if it were disconnected meanwhile.
    if (state === "error" && talking) queueMicrotask(() => void fail(lost));
    if (state === "disconnected") {
      over = true;
      clearTimeout(timer);
      // The WebRTC transport leaves it open when there was no connection yet.
      void media.disconnect();
    }
    talking = state === "ready";
  });
  client.on(RTVIEvent.BotDisconnected, () => tell(peerLeft));
  client.on(RTVIEvent.BotReady, () => clearTimeout(timer));
  client.on(RTVIEvent.DeviceError, (error: DeviceError) => {
    if (error.devices.includes("mic")) tell(microphoneFailed(error.type, error.message));
  });
  client.on(RTVIEvent.Error, ({ type, data }: RTVIMessage) => {
    // An error-response here is startBot's own, told above.
    if (type !== "error-response") tell(reported(textOf(data)));
  });
  client.on(RTVIEvent.MessageError, ({ data }: RTVIMessage) => tell(reported(textOf(data))));
}

/** The runner's own words where it refused a WebRTC offer: the library's error tells the status and has the response beside it. */
async function refusalOf(error: unknown): Promise<unknown> {
  const { cause } = Object(error) as { readonly cause?: unknown };
  if (!(cause instanceof Response)) return error;
  const body: unknown = await cause.json().catch(() => undefined); // a proxy's answer need not be JSON
  const { detail } = Object(body) as { readonly detail?: unknown };
  return typeof detail === "string" ? new Error(detail) : error;
}

function textOf(data: unknown): string {
  const { error, message } = Object(data) as { readonly error?: unknown; readonly message?: unknown };
  return String(error ?? message ?? "an error without a text");
}
