import { describe, expect, test } from 'vitest';
import { generator, seedFrom } from '../support/random.ts';

describe('the seed of a random test', () => {
  test('is its own unless IMAGO_TEST_SEED has another, which must be a whole number', () => {
    expect(seedFrom(undefined, 7)).toBe(7);
    expect(seedFrom('', 7)).toBe(7);
    expect(seedFrom('42', 7)).toBe(42);
    expect(() => seedFrom('soon', 7)).toThrow('IMAGO_TEST_SEED');
  });

  test('repeats the numbers; another one has others', () => {
    const five = (seed: number) => Array.from({ length: 5 }, generator(seed));
    expect(five(1)).toEqual(five(1));
    expect(five(1)).not.toEqual(five(2));
    for (const number of five(1)) expect(Math.floor(number)).toBe(0);
  });
});
