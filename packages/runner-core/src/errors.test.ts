import { describe, expect, it } from "vitest";
import { errorStatus, isRunnerError, RunnerError } from "./errors.ts";

describe("RunnerError", () => {
  it("takes its HTTP status from its code", () => {
    expect(new RunnerError("AT_CAPACITY", "Full.").status).toBe(429);
    expect(Object.values(errorStatus).every((status) => status >= 400 && status < 600)).toBe(true);
  });

  it("takes a transport's own code, with its status or 500", () => {
    expect(new RunnerError("PIGEON_LOST", "Lost.", { status: 504 }).status).toBe(504);
    expect(new RunnerError("PIGEON_LOST", "Lost.").status).toBe(500);
  });

  it("carries code, message, fix and cause", () => {
    const cause = new Error("rain");
    const error = new RunnerError("PIGEON_LOST", "The pigeon is lost.", { fix: "Send another.", cause });
    expect(error).toMatchObject({ name: "RunnerError", code: "PIGEON_LOST", message: "The pigeon is lost.", cause });
    expect(error.fix).toBe("Send another.");
    expect(String(error)).toBe("RunnerError: The pigeon is lost.");
  });

  it("has no cause and no fix when given none", () => {
    const error = new RunnerError("INTERNAL", "Broken.");
    expect(Object.hasOwn(error, "cause")).toBe(false);
    expect(error.fix).toBeUndefined();
  });

  it("shows its marker neither in JSON nor among its keys", () => {
    const error = new RunnerError("NOT_FOUND", "No such path.");
    expect(JSON.parse(JSON.stringify(error))).toEqual({ name: "RunnerError", code: "NOT_FOUND", status: 404 });
    expect(Object.getOwnPropertySymbols({ ...error })).toEqual([]);
  });
});

describe("isRunnerError", () => {
  it("knows its own, also made by another copy of this package", async () => {
    const copy = (await import("./errors.ts?copy" as string)) as typeof import("./errors.ts");
    const foreign = new copy.RunnerError("DRAINING", "Stopping.");
    expect(foreign).not.toBeInstanceOf(RunnerError);
    expect(isRunnerError(foreign)).toBe(true);
    expect(copy.isRunnerError(new RunnerError("DRAINING", "Stopping."))).toBe(true);
  });

  it.each([
    ["another error", new Error("x")],
    ["a look-alike", { name: "RunnerError", code: "DRAINING", message: "x", status: 503 }],
    ["nothing", undefined],
    ["null", null],
    ["text", "DRAINING"],
  ])("does not take %s for one", (_, value) => {
    expect(isRunnerError(value)).toBe(false);
  });
});
