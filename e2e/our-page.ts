import type { Locator } from "playwright-core";
import type { CallerPage } from "./caller-page.ts";

/** The web client, by what a person sees and presses. */
export interface OurPage {
  readonly connect: Locator;
  readonly disconnect: Locator;
  /** The line above the page that says what went wrong. */
  readonly notice: Locator;
  button(name: string): Locator;
  /** Presses Connect and waits until the client and the bot are ready. */
  connectToBot(): Promise<void>;
  /** Types a text and sends it. */
  write(text: string): Promise<void>;
}

/** Opens a runner's address as a person does, and waits until Connect can be pressed. */
export async function openOurPage({ page }: CallerPage, origin: string): Promise<OurPage> {
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  const [connect, disconnect] = [button("Connect"), button("Disconnect")];
  await page.goto(origin);
  await connect.waitFor();
  return {
    connect,
    disconnect,
    notice: page.getByRole("alert").or(page.getByRole("status")),
    button,
    async connectToBot() {
      await connect.click();
      await disconnect.waitFor();
      // The first is the client, which is ready by itself; the second is the bot, which said so.
      await page
        .getByRole("definition")
        .filter({ hasText: /^ready$/, visible: true })
        .nth(1)
        .waitFor();
    },
    async write(text) {
      await page.getByPlaceholder("Type message...").filter({ visible: true }).fill(text);
      await button("Send").click();
    },
  };
}
