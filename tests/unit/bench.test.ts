import { expect, test } from 'vitest';
import { type Measurement, nextLine } from '../../bench/measure.ts';
import { alone, groupsOf, type MethodKey, methodOf } from '../../bench/methods.ts';
import { middleRuns, type Results, targets } from '../../bench/report.ts';

test('a target of the bench is judged by the middle of the groups that took turns, else of the other line', () => {
  const run = (group: number, method: Measurement['method'], usersPerSecond: number) =>
    ({ group, method, usersPerSecond }) as Measurement;
  // The best runs of both would give 1; the groups give 2, 1.5 and 0.5.
  const runs = [
    ...[run(1, 'b', 100), run(1, 'r', 200)],
    ...[run(2, 'b', 100), run(2, 'd', 125)],
    ...[run(3, 'b', 200), run(3, 'r', 300)],
    ...[run(4, 'b', 300), run(4, 'r', 150)],
    run(5, 'g', 5),
  ];
  const judged = (of: Measurement[]) => targets({ runs: of, scale: [] } as unknown as Results);
  expect(judged(runs)).toMatchObject([
    { measured: 1.25, reached: false },
    { measured: 30, reached: true },
    { measured: 1.5, lowest: 0.5, highest: 2, reached: true },
  ]);
  expect(judged(runs)[0]).not.toHaveProperty('lowest');
  expect(judged(runs.slice(0, 6)).map(({ measured }) => measured)).toEqual([1.25, 1.75]);
  expect(middleRuns(runs).map((line) => [line.method, line.usersPerSecond])).toEqual([
    ['b', 100],
    ['d', 125],
    ['g', 5],
    ['r', 200],
  ]);
});

test('turns of the bench: the line that is least far has the next; one that does all at once is half-way', () => {
  const standing = (key: MethodKey, moved: number, seconds: number, ended = false) => ({
    ...{ method: methodOf(key), users: 100, moved, seconds, ended },
  });
  const next = (...lines: Parameters<typeof standing>[]) =>
    nextLine(lines.map((line) => standing(...line)))?.method.key;
  expect(next(['a', 0, 0], ['b', 40, 9], ['d', 30, 5])).toBe('d');
  expect(next(['a', 0, 0], ['b', 60, 9], ['d', 50, 5])).toBe('a');
  expect(next(['a', 100, 20, true], ['b', 60, 9], ['d', 70, 5])).toBe('b');
  expect(next(['b', 30, 9], ['d', 30, 5])).toBe('d');
  expect(next(['b', 100, 9, true], ['d', 100, 5, true])).toBeUndefined();
});

test('groups of the bench with only some lines: those lines of each group that are wanted, never one alone', () => {
  const wanted = (letters: string) => [...letters] as MethodKey[];
  expect(groupsOf(wanted('abcdefghir')).map((group) => group.join(''))).toEqual(['abc', 'bde', 'bfr']);
  expect(groupsOf(wanted('abg')).map((group) => group.join(''))).toEqual(['ab']);
  expect(groupsOf(wanted('de')).map((group) => group.join(''))).toEqual(['de']);
  expect(groupsOf(wanted('b')).map((group) => group.join(''))).toEqual(['b']);
  expect(groupsOf(wanted('gh'))).toEqual([]);
  expect(alone(wanted('abghi')).join('')).toBe('ghi');
});
