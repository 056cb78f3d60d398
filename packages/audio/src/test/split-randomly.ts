/** Splits samples into pieces of 0 to `longest` samples. The same seed gives the same pieces. */
export function* splitRandomly(samples: Int16Array, longest: number, seed: number): Generator<Int16Array> {
  let state = seed >>> 0;
  for (let begin = 0; begin < samples.length; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // the generator from Numerical Recipes
    const length = Math.floor((state / 2 ** 32) * (longest + 1));
    yield samples.subarray(begin, begin + length);
    begin += length;
  }
}
