/** The simulation of a large fleet, where its figures can be made out by hand. */
import { expect, test } from 'vitest';
import { type Fleet, factsOf, type Measured, secondsFor, simulate } from '../../bench/fleet-simulation.ts';

const measured: Measured = {
  rows: 100,
  slots: 2,
  lines: [
    { way: 'directly', workers: 1, seconds: 9, killed: 0 },
    // With several workers members take longer, as they share a machine.
    {
      ...{ way: 'fleet', workers: 2, seconds: 8, killed: 0 },
      memberSeconds: [9],
      transactions: { perMember: 9, idlePerSecond: 9 },
    },
    {
      ...{ way: 'fleet', workers: 1, seconds: 10, killed: 0 },
      memberSeconds: [4, 4, 4, 4],
      transactions: { perMember: 4, idlePerSecond: 2 },
    },
  ],
  control: [
    { connections: 1, transactionsPerSecond: 50 },
    { connections: 4, transactionsPerSecond: 102 },
  ],
};

const fleet = (given: Partial<Fleet>): Fleet => ({
  ...{ members: 8, rows: 100, workers: 1, slots: 2, servers: 4, perServer: null, failedShare: 0 },
  ...given,
});

test('what was measured: the line of the fewest workers, the time between two members, the most that was borne', () => {
  const facts = factsOf([
    measured,
    {
      ...measured,
      rows: 300,
      lines: [
        { ...measured.lines[2], seconds: 16, memberSeconds: [8, 8, 8, 8] } as Measured['lines'][number],
      ],
    },
  ]);
  expect(facts).toMatchObject({ gapSeconds: 0.5, perMember: 4, idlePerSecond: 2, limit: 102 });
  // (10 s x 2 slots / 4 members - 4 s), and none where slots were busy all the time.
  expect([200, 300, 500].map((rows) => secondsFor(facts.sizes, rows))).toEqual([6, 8, 12]);
  expect(() => secondsFor(facts.sizes, 99)).toThrow('The smallest');
  expect(() => secondsFor(facts.sizes.slice(0, 1), 101)).toThrow('Only members of 100 rows');
  const [small, large] = facts.sizes.map(({ seconds }, i) => ({
    rows: i + 1,
    seconds: -seconds,
    ratios: [],
  }));
  expect(() => secondsFor([small, large] as typeof facts.sizes, 9)).toThrow('took no longer');
});

test('slots, caps, a second try, and the control database as the limit', () => {
  const facts = { ...factsOf([measured]), gapSeconds: 1, idlePerSecond: 0, perMember: 0, limit: 1000 };
  const seconds = (given: Partial<Fleet>, more: Partial<typeof facts> = {}) =>
    simulate({ ...facts, ...more }, fleet(given), 1).seconds;
  // Four turns of two slots, 4 s and 1 s between; in eight slots one turn.
  expect(seconds({})).toBe(20);
  expect(seconds({ workers: 4 })).toBe(5);
  // Two servers with four members each, one at a time of each, however many slots there are.
  expect(seconds({ workers: 4, servers: 2, perServer: 1 })).toBe(20);
  // Each member twice.
  expect(simulate(facts, fleet({ failedShare: 1 }), 1)).toMatchObject({ seconds: 40, retried: 8 });
  // Eight members of 100 transactions; of 18 a second eight tell once a second how far they are: 10 are left, so 80 s, and the last one.
  const last = seconds({ workers: 4 }, { perMember: 100, limit: 18 });
  expect(last).toBeCloseTo(85);
  // Four workers that look for members 5 times a second each leave nothing of 20.
  expect(simulate({ ...facts, idlePerSecond: 5, limit: 20 }, fleet({ workers: 4 }), 1).seconds).toBe(
    Infinity,
  );
  // By its seed.
  const spread = { ...facts, sizes: [{ rows: 100, seconds: 4, ratios: [0.5, 1, 1.5] }] };
  const once = simulate(spread, fleet({ members: 50 }), 7);
  expect(simulate(spread, fleet({ members: 50 }), 7)).toEqual(once);
  expect(simulate(spread, fleet({ members: 50 }), 8)).not.toEqual(once);
});
