import { describe, expect, it, vi } from "vitest";
import type { RunnerArguments } from "./arguments.ts";
import { type Connect, connectKey, createTransport } from "./create-transport.ts";
import type { Transport, TransportParams } from "./transport.ts";

// Typed without transport names, which depend on the program. The types have tests of their own.
type Create = (
  args: RunnerArguments,
  factories: Readonly<Record<string, () => TransportParams | Promise<TransportParams>>>,
) => Promise<Transport>;
const create = createTransport as unknown as Create;

const transport = { name: "pigeon" } as Transport;

/** The arguments of a bot whose caller uses the transport `name`; `connect` builds it. */
function argumentsOf(name: string, connect: Connect): RunnerArguments {
  return { transport: name, sessionId: "s1", [connectKey]: connect } as unknown as RunnerArguments;
}

function connected(): { connect: Connect; given: TransportParams[] } {
  const given: TransportParams[] = [];
  return {
    given,
    connect: async (params) => {
      given.push(params);
      return transport;
    },
  };
}

describe("createTransport", () => {
  it("connects with the params of the caller's transport, and calls no other factory", async () => {
    const { connect, given } = connected();
    const other = vi.fn(() => ({}));
    const made = await create(argumentsOf("pigeon", connect), {
      drum: other,
      pigeon: () => ({ audioInSampleRate: 8_000 }),
    });
    expect(made).toBe(transport);
    expect(given).toEqual([{ audioInSampleRate: 8_000 }]);
    expect(other).not.toHaveBeenCalled();
  });

  it("awaits promised params", async () => {
    const { connect, given } = connected();
    await create(argumentsOf("pigeon", connect), { pigeon: async () => ({ audioInEnabled: false }) });
    expect(given).toEqual([{ audioInEnabled: false }]);
  });

  it("accepts a spread copy of the arguments", async () => {
    const args = { ...argumentsOf("pigeon", connected().connect), extra: 1 };
    expect(await create(args, { pigeon: () => ({}) })).toBe(transport);
  });

  it("accepts arguments from another copy of this package", async () => {
    const copy: { createTransport: Create } = await import("./create-transport.ts?copy" as string);
    expect(copy.createTransport).not.toBe(createTransport);
    const args = argumentsOf("pigeon", connected().connect);
    expect(await copy.createTransport(args, { pigeon: () => ({}) })).toBe(transport);
  });

  it("names the missing entry and the present ones", async () => {
    const { connect, given } = connected();
    const args = argumentsOf("pigeon", connect);
    await expect(create(args, { drum: () => ({}), smoke: () => ({}) })).rejects.toMatchObject({
      code: "TRANSPORT_PARAMS_MISSING",
      message: 'The caller uses the transport "pigeon", but createTransport has params for "drum", "smoke".',
      fix: expect.stringContaining("pigeon: () => ({})"),
    });
    await expect(create(args, {})).rejects.toThrow("has params for no transport.");
    expect(given).toEqual([]);
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty"])(
    "does not mistake an inherited property for the entry of a transport named %s",
    async (name) => {
      const { connect, given } = connected();
      await expect(create(argumentsOf(name, connect), {})).rejects.toMatchObject({
        code: "TRANSPORT_PARAMS_MISSING",
      });
      expect(given).toEqual([]);
    },
  );

  it.each([
    ["created by hand", { transport: "pigeon", sessionId: "s1" }],
    ["without fields", {}],
    ["sent through JSON", JSON.parse(JSON.stringify(argumentsOf("pigeon", connected().connect)))],
  ])("rejects arguments %s", async (_, args) => {
    const factory = vi.fn(() => ({}));
    await expect(create(args as RunnerArguments, { pigeon: factory })).rejects.toMatchObject({
      code: "TRANSPORT_NOT_CONNECTED",
      fix: expect.stringMatching(/args/),
    });
    expect(factory).not.toHaveBeenCalled();
  });

  it("rejects with the error of the factory or of connecting", async () => {
    const noSeeds = new Error("no seeds");
    const args = argumentsOf("pigeon", () => Promise.reject(new Error("no wind")));
    const failing = (): never => {
      throw noSeeds;
    };
    await expect(create(args, { pigeon: failing })).rejects.toBe(noSeeds);
    await expect(create(args, { pigeon: () => ({}) })).rejects.toThrow("no wind");
  });
});
