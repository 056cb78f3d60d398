import { filterModule } from "./generated/filter-module.ts";
import type { Kernel } from "./kernel.ts";

/** A kernel of at most 32,768 weights and 10,000 taps, and how the outputs lie between the inputs. */
export interface FilterKernel extends Kernel {
  /** Each output lies `from / to` input samples after the one before: whole numbers in lowest terms. */
  readonly from: number;
  readonly to: number;
}

/** Filters a piece of a stream. Everything is scratch: it holds nothing between two calls. */
export interface Filter {
  /** Where the caller puts the piece: 16-bit samples, with room for `taps` and 1,024 more. */
  readonly input: Int16Array;
  /**
   * Filters the first `length` samples of `input` into `count` samples, one at least, the first of which lies `part / to`
   * samples after input sample `taps / 2 - 1`. What it returns is overwritten by the next call.
   */
  run(kernel: FilterKernel, length: number, part: number, count: number): Int16Array;
}

/** The part of `WebAssembly` that is needed here; no library of types for Node has it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: FilterExports };
};

interface FilterExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  toFloats(samples: number, length: number, floats: number): void;
  filter(
    window: number,
    weights: number,
    taps: number,
    phases: number,
    part: number,
    from: number,
    to: number,
    output: number,
    count: number,
  ): void;
}

// Where in the module's memory things lie, in bytes.
const weightsAt = 0;
const inputAt = 128 * 1024;
const floatsAt = inputAt + 24 * 1024;
const outputAt = floatsAt + 48 * 1024;

/** Compiles the filter: some 400 bytes of WebAssembly, in less than a millisecond. */
export function createFilter(): Filter {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(filterModule)));
  const { buffer } = exports.memory;
  const weights = new Float32Array(buffer, weightsAt, (inputAt - weightsAt) / 4);
  const output = new Int16Array(buffer, outputAt);

  return {
    input: new Int16Array(buffer, inputAt, (floatsAt - inputAt) / 2),
    run(kernel, length, part, count) {
      const { taps, phases, from, to } = kernel;
      weights.set(kernel.weights);
      exports.toFloats(inputAt, length, floatsAt);
      exports.filter(floatsAt, weightsAt, taps, phases, part, from, to, outputAt, count);
      return output.subarray(0, count);
    },
  };
}
