import type { RTVITransport } from "./transport.ts";

/**
 * Sends one message. Where the transport says by the code `CALL_ENDED` that nobody is there any more, it resolves: that the
 * caller left while the bot had something to say is nobody's mistake.
 */
export async function sendMessage(transport: RTVITransport, message: unknown): Promise<void> {
  try {
    await transport.sendMessage(message);
  } catch (error) {
    if ((error as { readonly code?: unknown } | null)?.code !== "CALL_ENDED") throw error;
  }
}
