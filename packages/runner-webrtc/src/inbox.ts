/** What arrives at a caller on the data channel, oldest first. */
export interface Inbox {
  readonly messages: unknown[];
  /** Received messages that are not app messages. */
  readonly signals: unknown[];
  readonly protocolErrors: string[];
  /** Reads a text, and returns the type of a signal. */
  receive(text: string): unknown;
}

export function createInbox(): Inbox {
  const inbox: Inbox = {
    messages: [],
    signals: [],
    protocolErrors: [],
    receive(text) {
      let message: unknown;
      try {
        message = JSON.parse(text);
      } catch (error) {
        inbox.protocolErrors.push(`malformed message: ${(error as Error).message}`);
        return undefined;
      }
      const { type, message: signal } = Object(message) as { readonly type?: unknown; readonly message?: unknown };
      if (type !== "signalling") {
        inbox.messages.push(message);
        return undefined;
      }
      inbox.signals.push(signal);
      return (Object(signal) as { readonly type?: unknown }).type;
    },
  };
  return inbox;
}
