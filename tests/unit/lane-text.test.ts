import { expect, test } from 'vitest';
import type { Lane } from '../../functions/_shared/answers.ts';
import { laneText } from '../../scripts/command/progress-words.ts';

const lane = (pass: string, number: number, processed: number, done: boolean, stage = 1): Lane => ({
  stage,
  pass,
  number,
  processed,
  moved: processed,
  failed: 0,
  done,
});
const main = [lane('main', 1, 9, true), lane('main', 2, 3, false), lane('main', 3, 0, false)];
const late = [lane('late', 1, 0, false), lane('late', 2, 0, false)];

test('lanes of the pass that is walked now, each a mark: done, begun, still to do', () => {
  expect(laneText({ lanes: [...main, ...late] }, 'forward', 80)).toBe('█▓░ 1 of 3 lanes done');
  const walked = main.map((one) => ({ ...one, done: true }));
  expect(laneText({ lanes: [...walked, ...late] }, 'forward', 80)).toBe('░░ 0 of 2 lanes done');
});

test('the way back begins with the last stage', () => {
  const lanes = [...main, lane('main', 1, 5, true, 2), lane('main', 2, 5, false, 2)];
  expect(laneText({ lanes }, 'rollback', 80)).toBe('█▓ 1 of 2 lanes done');
});

test('nothing where there is one lane, none that is open, or no room', () => {
  expect(laneText({ lanes: [lane('main', 1, 5, false)] }, 'forward', 80)).toBeUndefined();
  expect(laneText({ lanes: [] }, 'forward', 80)).toBeUndefined();
  expect(laneText({ lanes: main.map((one) => ({ ...one, done: true })) }, 'forward', 80)).toBeUndefined();
  expect(laneText({ lanes: main }, 'forward', 20)).toBeUndefined();
});
