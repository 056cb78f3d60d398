import type { DoctorCheck } from "@pipecat-ts/runner-core";
import { createWhatsAppApi } from "./api.ts";
import { credentialsOf, type WhatsAppOptions } from "./options.ts";

/** How long WhatsApp may take to answer, in ms. */
const apiMs = 4_000;

/** The check of `pipecat-runner doctor`: whether the access token and the id of the business number belong together. */
export function doctorChecks(options: WhatsAppOptions): readonly DoctorCheck[] {
  const { token, phoneNumberId } = credentialsOf(options);
  return [
    {
      name: "credentials",
      async run() {
        await createWhatsAppApi({ apiUrl: options.apiUrl, phoneNumberId, token, timeoutMs: apiMs }).checkNumber();
        return { state: "passed", detail: "the access token may use the business number" };
      },
    },
  ];
}
