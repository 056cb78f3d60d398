import { contractVersion, isLoopback, isRunnerError, type OptionTable, RunnerError } from "@pipecat-ts/runner-core";
import type { CallerPlugin } from "@pipecat-ts/runner-core/caller";
import type { Carrier, CarrierOptions } from "../carrier.ts";
import { createFakeCarrier, type PhoneDialect } from "./phone-carrier.ts";

/** What `pipecat-runner call` needs to simulate a carrier. */
export interface PhoneCallerSettings<Options extends CarrierOptions>
  extends Pick<Carrier<Options>, "name" | "title" | "signatures" | "api"> {
  readonly options: OptionTable<Options>;
  createDialect(options: Options): PhoneDialect;
  /** Whether requests are signed, where that does not depend on the secret that verifies them. */
  canSign?(options: Options): boolean;
}

/**
 * Simulates a carrier for `pipecat-runner call`, with the account that the runner has too: webhook, document, socket, marks and
 * clears. Its REST API is simulated where the runner's `apiUrl` is on this machine.
 */
export function createPhoneCaller<Options extends CarrierOptions>(
  settings: PhoneCallerSettings<Options>,
): CallerPlugin<Options> {
  const { name, title, options: table, signatures, api } = settings;
  return {
    apiVersion: contractVersion,
    name,
    options: table,
    starts: false,
    async open(options) {
      const carrier = createFakeCarrier(settings.createDialect(options));
      const { canSign = () => signatures?.secret(options) !== undefined } = settings;
      const apiUrl = api?.isReady(options) ? apiUrlOf(options) : undefined;
      const isLocal = apiUrl !== undefined && isLoopback(apiUrl.hostname);
      const server = isLocal ? await carrier.openApi(Number(apiUrl.port)) : undefined;
      return {
        notes:
          apiUrl === undefined || isLocal
            ? []
            : [
                `${title}'s REST API is not simulated: the runner sends its hang-up to ${apiUrl.origin}. ${apiHint(table)}`,
              ],
        async dial({ url, publicUrl = url, records = true }) {
          try {
            return await carrier.call({ at: url, publicUrl, records });
          } catch (error) {
            throw canSign(options) ? error : explainUnsigned(error, title, signatures?.fix);
          }
        },
        async close() {
          await server?.close();
        },
      };
    },
  };
}

function apiUrlOf(options: object): URL | undefined {
  const { apiUrl } = options as { readonly apiUrl?: unknown };
  return typeof apiUrl === "string" ? new URL(apiUrl) : undefined;
}

function apiHint(table: OptionTable<object>): string {
  const { env } = (table as Readonly<Record<string, { readonly env?: unknown }>>).apiUrl ?? {};
  return `To simulate it, set ${env}=http://localhost:7870 for both.`;
}

/** The runner rejected a call that was not signed. */
function explainUnsigned(error: unknown, title: string, fix: string | undefined): unknown {
  if (!isRunnerError(error) || error.status !== 403 || fix === undefined) return error;
  return new RunnerError(error.code, error.message, {
    status: error.status,
    fix: `This command did not sign it. To sign like ${title}, use the secret of the runner: ${fix}`,
    cause: error,
  });
}
