import { setTimeout as sleep } from "node:timers/promises";
import { startLocalServer } from "./local-server.ts";

/** What the simulated model answers. */
export type ChatReply =
  | { readonly text: string }
  | { readonly functionCall: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> } };

/** A message of a request. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
}

/** How the simulated vendor behaves. */
export interface FakeChatOptions {
  reply(messages: readonly ChatMessage[]): ChatReply;
}

/** The simulated vendor. */
export interface FakeChat {
  /** Variables for the bot: the address of this server, and a key that it accepts. */
  readonly env: { readonly OPENAI_BASE_URL: string; readonly OPENAI_API_KEY: string };
  /** The messages of each request. */
  readonly requests: readonly (readonly ChatMessage[])[];
  close(): Promise<void>;
}

const apiKey = "sk-of-a-simulated-account";

/**
 * Starts a server that speaks the streaming Chat Completions API (`POST /chat/completions`, server-sent events) as OpenAI's
 * public reference and SDK describe it, for tests through OpenAI's SDK or the AI SDK of Vercel. A word every 10 ms.
 */
export async function startFakeChat({ reply }: FakeChatOptions): Promise<FakeChat> {
  const requests: (readonly ChatMessage[])[] = [];
  const { origin, close } = await startLocalServer(async (request, response) => {
    const body = (await request.setEncoding("utf8").toArray()).join("");
    const { messages, stream, model } = JSON.parse(body || "{}");
    const hasKey = request.headers.authorization === `Bearer ${apiKey}`;
    const status = request.url !== "/v1/chat/completions" ? 404 : !hasKey ? 401 : stream !== true ? 400 : 200;
    if (status !== 200) {
      return void response
        .writeHead(status, { "content-type": "application/json" })
        .end(JSON.stringify({ error: { message: status === 401 ? "Incorrect API key provided." : "Rejected." } }));
    }
    requests.push(messages);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (delta: object, reason: string | null = null): void => {
      const choices = [{ index: 0, delta, finish_reason: reason }];
      const chunk = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 0, model, choices };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    };
    const answer = reply(messages);
    send({ role: "assistant", content: "" });
    if ("functionCall" in answer) {
      const { name, arguments: args } = answer.functionCall;
      const json = JSON.stringify(args);
      const half = json.length >> 1;
      const call = { index: 0, id: `call-${requests.length}`, type: "function" };
      send({ tool_calls: [{ ...call, function: { name, arguments: "" } }] });
      for (const part of [json.slice(0, half), json.slice(half)]) {
        send({ tool_calls: [{ index: 0, function: { arguments: part } }] });
      }
      send({}, "tool_calls");
    } else {
      for (const content of answer.text.split(/(?<= )/)) {
        if (response.destroyed) return;
        send({ content });
        await sleep(10);
      }
      send({}, "stop");
    }
    response.end("data: [DONE]\n\n");
  });
  return { env: { OPENAI_BASE_URL: `${origin}/v1`, OPENAI_API_KEY: apiKey }, requests, close };
}
