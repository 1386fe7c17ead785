/** What the page makes of figures that it hears between two looks. */
import { expect, test } from 'vitest';
import { figuresMessage, progressAnswer } from '../../functions/_shared/answers.ts';
import { movedAlong } from '../../scripts/dashboard/page/along.ts';

const lane = (stage: number, number: number, moved: number) => ({
  ...(stage > 1 && { stage }),
  pass: 'main',
  number,
  processed: moved,
  moved,
  failed: 0,
  batch_size: 10,
  done: false,
});
const counts = (migrated: number, pending: number) => ({
  total: migrated + pending,
  migrated,
  pending,
  remaining: pending - 1,
  failed: 1,
});
const last = progressAnswer.parse({
  plan: 'p',
  run: 4,
  state: 'running',
  direction: 'forward',
  ...counts(30, 70),
  stages: [
    { stage: 1, ...counts(20, 30) },
    { stage: 2, ...counts(10, 40) },
  ],
  lanes: [lane(1, 1, 20), lane(2, 1, 10)],
});
const heard = figuresMessage.parse({
  plan: 'p',
  run: 4,
  state: 'running',
  direction: 'forward',
  per_minute: 60,
  lanes: [lane(1, 1, 25), lane(2, 1, 13)],
});

test('forward and back, in all and by stage, as SQL would count it', () => {
  expect(movedAlong(last, heard)).toMatchObject({
    ...{ migrated: 38, pending: 62, remaining: 61, percentage: 38, eta_seconds: 61, failed: 1 },
    stages: [
      { migrated: 25, pending: 25, percentage: 50 },
      { migrated: 13, pending: 37, percentage: 26 },
    ],
    lanes: heard.lanes,
  });
  const back = movedAlong({ ...last, direction: 'rollback' }, { ...heard, direction: 'rollback' });
  expect(back).toMatchObject({ migrated: 22, pending: 78, eta_seconds: 22 });
});

test('never past the end, and 100 % only when nothing is pending', () => {
  const far = { ...heard, lanes: [lane(1, 1, 900)] };
  expect(movedAlong(last, far)).toMatchObject({ migrated: 100, pending: 0, remaining: 0, percentage: 100 });
  const nearly = { ...last, ...counts(999_990, 11) };
  expect(movedAlong({ ...nearly, remaining: 11 }, heard)?.percentage).toBe(99.99);
});

test('figures of another run or plan, or of one that was paused meanwhile, have to be asked for', () => {
  expect(movedAlong(last, { ...heard, run: 5 })).toBeUndefined();
  expect(movedAlong(last, { ...heard, plan: 'q' })).toBeUndefined();
  expect(movedAlong({ ...last, state: 'paused' }, heard)).toBeUndefined();
});
