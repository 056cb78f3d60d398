/** An RTVI message from a caller's application. */
export function rtviMessage(type: string, data: unknown = {}): object {
  return { label: "rtvi-ai", type, id: crypto.randomUUID(), data };
}

/** RTVI's first message, which many bots wait for. `library` names the application. */
export function clientReady(library: string): object {
  return rtviMessage("client-ready", { version: "2.2.0", about: { library } });
}

/** The data of all messages of this type, in order. */
export function rtviData(messages: readonly unknown[], type: string): unknown[] {
  return messages.flatMap((message) => {
    const { type: own, data } = Object(message) as { readonly type?: unknown; readonly data?: unknown };
    return own === type ? [data] : [];
  });
}
