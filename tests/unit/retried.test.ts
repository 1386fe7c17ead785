import { describe, expect, test } from 'vitest';
import { verdict } from '../support/retried.ts';

const tried = (...retries: number[]) =>
  retries.map((count, i) => ({
    name: `file > test ${i}`,
    retries: count,
    reasons: ['late'].slice(0, count),
  }));

describe('tests that passed at a second try', () => {
  test('are not mentioned when there are none', () => {
    expect(verdict(tried(0, 0))).toBeUndefined();
  });

  test('are named, with how often and why, and two do not fail the run', () => {
    expect(verdict(tried(1, 0, 2))).toEqual({
      text: '2 tests were tried again:\n  file > test 0 (once)\n    late\n  file > test 2 (2 times)\n    late',
      fails: false,
    });
  });

  test('fail the run when they are three', () => {
    expect(verdict(tried(1, 1, 1))).toMatchObject({
      text: expect.stringContaining('more than 2'),
      fails: true,
    });
  });
});
