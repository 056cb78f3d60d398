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
])("%s fails, and the fix names the variable", async (_, reply, variable) => {
  const { result } = await check(reply);
  await expect(result).rejects.toMatchObject({ code: "WHATSAPP_REFUSED", fix: expect.stringContaining(variable) });
});
