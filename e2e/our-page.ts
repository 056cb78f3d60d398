import type { Locator } from "playwright-core";
import type { CallerPage } from "./caller-page.ts";

/** The web client, by what a person sees and presses. */
export interface OurPage {
  readonly connect: Locator;
  readonly disconnect: Locator;
  /** The line above the page that says what went wrong. */
  readonly notice: Locator;
  /** Waits until that line is `text`. */
  expectNotice(text: RegExp): Promise<void>;
  /** Where the transport is chosen; its text names the one in use. */
  readonly transport: Locator;
  button(name: string): Locator;
  /** Presses Connect and waits until the client and the bot are ready. */
  connectToBot(): Promise<void>;
  /** Fails unless the page shows that they are, within some seconds. */
  expectReady(): Promise<void>;
  /** Presses Interrupt; resolves with when, in ms since 1970. */
  interrupt(): Promise<number>;
  /** Sends a text and waits until the page shows what the echo bot answered to it. */
  exchange(text: string): Promise<void>;
}

/** Opens a runner's address as a person does, and waits until Connect can be pressed. */
export async function openOurPage({ page }: CallerPage, origin: string): Promise<OurPage> {
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  const [connect, disconnect] = [button("Connect"), button("Disconnect")];
  const notice = page.getByRole("alert").or(page.getByRole("status"));
  await page.goto(origin);
  await connect.waitFor();
  // The first is the client, which is ready by itself; the second is the bot, which said so.
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
