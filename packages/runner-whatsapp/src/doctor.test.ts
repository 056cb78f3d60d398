import { type DoctorResult, resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { whatsappOptions } from "./options.ts";
import plugin from "./plugin.ts";
import { type ApiReply, startFakeApi } from "./test/fake-api.ts";
import { business } from "./test/webhooks.ts";

/** The result of the check when WhatsApp answers with `reply`, and the request that it got. */
async function check(reply: ApiReply) {
  const fake = await startFakeApi();
  fake.reply = () => reply;
  const options = resolveOptions(whatsappOptions, { given: { ...business, apiUrl: fake.url }, env: {} });
  const [credentials] = plugin.advanced?.doctor?.(options, { settings: {} as never, roundTrip: undefined }) ?? [];
  const result = (async (): Promise<DoctorResult | undefined> => credentials?.run(new AbortController().signal))();
  await result.catch(() => undefined);
  return { result, requests: fake.requests };
}

test("a token that may use the number passes", async () => {
  const { result, requests } = await check({ body: { id: business.phoneNumberId } });
  expect(await result).toMatchObject({ state: "passed" });
  expect(requests).toMatchObject([
    { path: `/v23.0/${business.phoneNumberId}?fields=id`, authorization: `Bearer ${business.token}` },
  ]);
});

test.each<[string, ApiReply, string]>([
  ["an expired token", { status: 401, body: { error: { message: "Expired", code: 190 } } }, "WHATSAPP_TOKEN"],
  [
    "the id of another number",
    { status: 400, body: { error: { message: "Unsupported get request.", code: 100, error_subcode: 33 } } },
    "WHATSAPP_PHONE_NUMBER_ID",
  ],
  ["a server that is not WhatsApp", { body: "<html>" }, "WHATSAPP_API_URL"],
  [
    "a request above the limit",
    { status: 429, body: { error: { message: "Limit hit", code: 80_007 } } },
    "Try again later",
  ],
  ["a fault of WhatsApp", { status: 503, body: { error: { message: "Unavailable", code: 2 } } }, "Try again later"],
  [
    "a limit that WhatsApp reports with 400",
    { status: 400, body: { error: { message: "Limit", code: 4 } } },
    "Try again later",
  ],
])("%s fails, and the fix says what to do", async (_, reply, fix) => {
  const { result } = await check(reply);
  await expect(result).rejects.toMatchObject({ code: "WHATSAPP_REFUSED", fix: expect.stringContaining(fix) });
});
