import { expect, test } from "vitest";
import { createWhatsAppApi } from "./api.ts";
import { type CallConnect, parseCallEvents } from "./messages.ts";
import { startFakeApi } from "./test/fake-api.ts";
import { business, connectOf, connectOfUser, numbers, userId } from "./test/webhooks.ts";

const [call] = parseCallEvents(connectOf("wacid.HBgLMTIwMTU1NTAxMjM", "v=0")) as [CallConnect];
const { phoneNumberId, token } = business;

async function open(timeoutMs?: number) {
  const fake = await startFakeApi();
  const options = { apiUrl: `${fake.url}/`, phoneNumberId, token };
  return { fake, api: createWhatsAppApi(timeoutMs === undefined ? options : { ...options, timeoutMs }) };
}

test("a refusal shows WhatsApp's code and message without phone numbers, call ids and the token", async () => {
  const { fake, api } = await open();
  const details = `(#100) ${call.callId} from +1 201-555-0123 to ${numbers.called} or ${userId}: not allowed`;
  fake.reply = () => ({ status: 403, body: { error: { message: "No", code: 100, error_data: { details } } } });
  await expect(api.terminate(call)).rejects.toMatchObject({
    code: "WHATSAPP_REFUSED",
    message: 'WhatsApp refused to terminate a call: 403, code 100, "No: (#100) … from … to … or …: not allowed".',
  });
});

test("requests about a caller without a number have no field `to`", async () => {
  const { fake, api } = await open();
  const [user] = parseCallEvents(connectOfUser("wacid.1", "v=0")) as [CallConnect];
  for (const each of [call, user]) await api.accept(each, "v=0");
  const accept = { messaging_product: "whatsapp", action: "accept", session: { sdp_type: "answer", sdp: "v=0" } };
  expect(fake.requests.map(({ body }) => body)).toEqual([
    { ...accept, call_id: call.callId, to: numbers.caller },
    { ...accept, call_id: "wacid.1" },
  ]);
});

test("a request without an answer rejects with WHATSAPP_UNREACHABLE", async () => {
  const { fake, api } = await open(50);
  fake.reply = () => "hang";
  const unreachable = expect.objectContaining({ code: "WHATSAPP_UNREACHABLE" });
  await expect(api.accept(call, "v=0")).rejects.toEqual(unreachable);
  const nobody = createWhatsAppApi({ apiUrl: "http://127.0.0.1:9", phoneNumberId, token });
  await expect(nobody.reject(call)).rejects.toEqual(unreachable);
});

test.each(["terminate", "reject"] as const)("%s is sent again once after a 5xx answer", async (action) => {
  const { fake, api } = await open();
  fake.reply = () => (fake.requests.length === 1 ? { status: 503, body: { error: { code: 2 } } } : {});
  await api[action](call);
  expect(fake.actions).toEqual([action, action]);
});

test("pre_accept and accept are sent once", async () => {
  const { fake, api } = await open();
  fake.reply = () => ({ status: 503 });
  await expect(api.preAccept(call, "v=0")).rejects.toMatchObject({ code: "WHATSAPP_REFUSED" });
  await expect(api.accept(call, "v=0")).rejects.toMatchObject({ code: "WHATSAPP_REFUSED" });
  expect(fake.actions).toEqual(["pre_accept", "accept"]);
});

test("redirects are not followed, so that no other server gets the token", async () => {
  const { fake, api } = await open();
  fake.reply = () => ({ status: 307, headers: { location: `${fake.url}/elsewhere` } });
  await expect(api.reject(call)).rejects.toMatchObject({ code: "WHATSAPP_REFUSED" });
  expect(fake.requests).toHaveLength(1);
});

test("close() aborts requests in progress", async () => {
  const { fake, api } = await open();
  fake.reply = () => "hang";
  const terminated = expect(api.terminate(call)).rejects.toMatchObject({ code: "WHATSAPP_UNREACHABLE" });
  await api.close();
  await terminated;
});
