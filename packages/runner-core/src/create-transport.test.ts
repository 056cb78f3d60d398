import { describe, expect, it, vi } from "vitest";
import type { RunnerArguments } from "./arguments.ts";
import { connectKey, connectOf, createTransport } from "./create-transport.ts";
import type { Connect } from "./session.ts";
import type { Transport, TransportParams } from "./transport.ts";

// Typed without names: which transports exist depends on what the program declares, and its types have tests of their own.
type Create = (
  args: RunnerArguments,
  factories: Readonly<Record<string, () => TransportParams | Promise<TransportParams>>>,
) => Promise<Transport>;
const create = createTransport as unknown as Create;

const transport = { name: "pigeon" } as Transport;

/** The arguments of a bot whose caller came in by `name`; `connect` makes its transport. */
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
  it("connects with the params of the transport the caller came in by, and makes no others", async () => {
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

  it("awaits params that are promised", async () => {
    const { connect, given } = connected();
    await create(argumentsOf("pigeon", connect), { pigeon: async () => ({ audioInEnabled: false }) });
    expect(given).toEqual([{ audioInEnabled: false }]);
  });

  it("works on a spread copy of the arguments", async () => {
    const args = { ...argumentsOf("pigeon", connected().connect), extra: 1 };
    expect(await create(args, { pigeon: () => ({}) })).toBe(transport);
  });

  it("finds what another copy of this package put into the arguments", async () => {
    const copy: { createTransport: Create } = await import("./create-transport.ts?copy" as string);
    expect(copy.createTransport).not.toBe(createTransport);
    const args = argumentsOf("pigeon", connected().connect);
    expect(await copy.createTransport(args, { pigeon: () => ({}) })).toBe(transport);
  });

  it("names the entry to add and those that are there", async () => {
    const { connect, given } = connected();
    const args = argumentsOf("pigeon", connect);
    await expect(create(args, { drum: () => ({}), smoke: () => ({}) })).rejects.toMatchObject({
      code: "TRANSPORT_PARAMS_MISSING",
      message: 'The caller came in by "pigeon", and createTransport was given params for "drum", "smoke".',
      fix: expect.stringContaining("pigeon: () => ({})"),
    });
    await expect(create(args, {})).rejects.toThrow("was given params for no transport.");
    expect(given).toEqual([]);
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty"])(
    "does not take what every object has for the entry of a transport called %s",
    async (name) => {
      const { connect, given } = connected();
      await expect(create(argumentsOf(name, connect), {})).rejects.toMatchObject({
        code: "TRANSPORT_PARAMS_MISSING",
      });
      expect(given).toEqual([]);
    },
  );

  it.each([
    ["made by hand", { transport: "pigeon", sessionId: "s1" }],
    ["that are empty", {}],
    ["sent through JSON", JSON.parse(JSON.stringify(argumentsOf("pigeon", connected().connect)))],
  ])("refuses arguments %s", async (_, args) => {
    const factory = vi.fn(() => ({}));
    await expect(create(args as RunnerArguments, { pigeon: factory })).rejects.toMatchObject({
      code: "TRANSPORT_NOT_CONNECTED",
      fix: expect.stringMatching(/args/),
    });
    expect(factory).not.toHaveBeenCalled();
  });

  it("passes on what making params or connecting threw", async () => {
    const noSeeds = new Error("no seeds");
    const args = argumentsOf("pigeon", () => Promise.reject(new Error("no wind")));
    const failing = (): never => {
      throw noSeeds;
    };
    await expect(create(args, { pigeon: failing })).rejects.toBe(noSeeds);
    await expect(create(args, { pigeon: () => ({}) })).rejects.toThrow("no wind");
  });
});

describe("connectOf", () => {
  it("gives what the arguments carry, and throws at once where they carry none", () => {
    const { connect } = connected();
    expect(connectOf(argumentsOf("pigeon", connect))).toBe(connect);
    expect(() => connectOf({} as RunnerArguments)).toThrow(
      expect.objectContaining({ code: "TRANSPORT_NOT_CONNECTED" }),
    );
  });
});
