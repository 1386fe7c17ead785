import { onTestFailed } from 'vitest';

/** The seed of all random tests of a run, where one is given: that which a failed test has printed. */
const GIVEN = 'IMAGO_TEST_SEED';

/**
 * Random numbers from 0 to 1 for one test, which a seed repeats. The seed is the test's own unless the environment has
 * another; a test that fails prints it.
 */
export function randomNumbers(own: number): () => number {
  const seed = seedFrom(process.env[GIVEN], own);
  onTestFailed(({ task }) => {
    console.error(`${task.name}: its random numbers are those of ${GIVEN}=${seed}`);
  });
  return generator(seed);
}

/** The seed that the environment has, or a test's own. */
export function seedFrom(given: string | undefined, own: number): number {
  if (!given) return own;
  const seed = Number(given);
  if (!Number.isInteger(seed)) throw new Error(`${GIVEN} is no whole number: ${given}`);
  return seed;
}

/** Mulberry32: the same numbers for the same seed. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
