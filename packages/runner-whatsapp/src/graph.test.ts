import { expect, test } from "vitest";
import { createGraph } from "./graph.ts";
import { type CallConnect, recogniseCallEvents } from "./messages.ts";
import { startGraph } from "./test/fake-graph.ts";
import { business, connectOf, numbers } from "./test/webhooks.ts";

const [call] = recogniseCallEvents(connectOf("wacid.HBgLMTIwMTU1NTAxMjM", "v=0")) as [CallConnect];
const { phoneNumberId, token } = business;

async function open(timeoutMs?: number) {
  const fake = await startGraph();
  const options = { apiUrl: `${fake.url}/`, phoneNumberId, token };
  return { fake, graph: createGraph(timeoutMs === undefined ? options : { ...options, timeoutMs }) };
}

test("a refusal tells the code and the words, and neither a number nor a call's id nor the token", async () => {
  const { fake, graph } = await open();
  const details = `(#100) ${call.callId} from +1 201-555-0123 to ${numbers.called}: not allowed`;
  fake.reply = () => ({ status: 403, body: { error: { message: "No", code: 100, error_data: { details } } } });
  await expect(graph.terminate(call)).rejects.toMatchObject({
    code: "WHATSAPP_REFUSED",
    message: 'WhatsApp refused to terminate a call: 403, code 100, "No: (#100) … from … to …: not allowed".',
  });
});

test("an answer that does not come in time, or never will, is an error of its own", async () => {
  const { fake, graph } = await open(50);
  fake.reply = () => "hang";
  const unreachable = expect.objectContaining({ code: "WHATSAPP_UNREACHABLE" });
  await expect(graph.accept(call, "v=0")).rejects.toEqual(unreachable);
  const nobody = createGraph({ apiUrl: "http://127.0.0.1:9", phoneNumberId, token });
  await expect(nobody.reject(call)).rejects.toEqual(unreachable);
});

test("the token follows no redirect", async () => {
  const { fake, graph } = await open();
  fake.reply = () => ({ status: 307, headers: { location: `${fake.url}/elsewhere` } });
  await expect(graph.reject(call)).rejects.toMatchObject({ code: "WHATSAPP_UNREACHABLE" });
  expect(fake.requests).toHaveLength(1);
});

test("closing gives up what is under way", async () => {
  const { fake, graph } = await open();
  fake.reply = () => "hang";
  const terminated = graph.terminate(call);
  graph.close();
  await expect(terminated).rejects.toMatchObject({ code: "WHATSAPP_UNREACHABLE" });
});
