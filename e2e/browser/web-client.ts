import type { Locator } from "playwright-core";
import type { CallerPage } from "./caller-page.ts";

/** The web client, through the elements that a person sees. */
export interface WebClient {
  readonly connect: Locator;
  readonly disconnect: Locator;
  /** The line above the page with errors and the end of a call. */
  readonly notice: Locator;
  /** Waits until that line matches `text`. */
  expectNotice(text: RegExp): Promise<void>;
  /** The selector for the transport. Its text is the selected one. */
  readonly transport: Locator;
  button(name: string): Locator;
  /** Clicks Connect and waits until the client and the bot are ready. */
  connectToBot(): Promise<void>;
  /** Waits until the page shows that the client and the bot are ready. */
  expectReady(): Promise<void>;
  /** Clicks Interrupt. Resolves with the time, in ms since 1970. */
  interrupt(): Promise<number>;
  /** Sends a text and waits until the page shows the echo bot's answer. */
  exchange(text: string): Promise<void>;
}

/** Opens the address of a runner and waits for the Connect button. */
export async function openWebClient({ page }: CallerPage, origin: string): Promise<WebClient> {
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  const [connect, disconnect] = [button("Connect"), button("Disconnect")];
  const notice = page.getByRole("alert").or(page.getByRole("status"));
  await page.goto(origin);
  await connect.waitFor();
  // The first is the state of the client, the second that of the bot.
  const expectReady = () =>
    page
      .getByRole("definition")
      .filter({ hasText: /^ready$/, visible: true })
      .nth(1)
      .waitFor();
  return {
    connect,
    disconnect,
    notice,
    expectNotice: (text) => notice.filter({ hasText: text }).waitFor(),
    transport: page.getByRole("combobox", { name: "Transport" }),
    button,
    async connectToBot() {
      await connect.click();
      await disconnect.waitFor();
      await expectReady();
    },
    expectReady,
    async interrupt() {
      await page.evaluate(
        `addEventListener("click", () => { globalThis.interruptedAt = Date.now() }, { capture: true, once: true })`,
      );
      await button("Interrupt").click();
      return page.evaluate("interruptedAt");
    },
    async exchange(text) {
      await page.getByPlaceholder("Type message...").filter({ visible: true }).fill(text);
      await button("Send").click();
      await page.getByText(`You wrote: ${text}`, { exact: true }).filter({ visible: true }).waitFor();
    },
  };
}
