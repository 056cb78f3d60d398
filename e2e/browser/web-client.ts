import type { Locator } from "playwright-core";
import type { CallerPage } from "./caller-page.ts";

/** The web client, through the elements that a person sees. */
export interface WebClient {
  readonly connect: Locator;
  readonly disconnect: Locator;
  /** The line with errors and the reason why a call ended. */
  readonly notice: Locator;
  /** Waits until that line matches `text`. */
  expectNotice(text: RegExp): Promise<void>;
  /** The selected transport. */
  readonly transport: Locator;
  /** The state of the call, in words. */
  readonly state: Locator;
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
  const notice = page.locator(".notice");
  const state = page.locator(".state");
  await page.goto(origin);
  await connect.waitFor();
  const expectReady = () =>
    state.filter({ hasText: /^(The bot (is (listening|speaking)|was interrupted)|You are speaking)$/ }).waitFor();
  return {
    connect,
    disconnect,
    notice,
    expectNotice: (text) => notice.filter({ hasText: text }).waitFor(),
    transport: page.getByRole("combobox", { name: "Transport" }).locator("option:checked"),
    state,
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
      await page.getByPlaceholder("Type a message").fill(text);
      await button("Send").click();
      await page.getByText(`You wrote: ${text}`, { exact: true }).waitFor();
    },
  };
}
