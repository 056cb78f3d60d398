/** Compiles only when both types are the same: `sameType<Got, Expected>()`. */
export declare function sameType<A, B>(
  ...proof: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [different: never]
): void;
