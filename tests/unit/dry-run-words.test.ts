import { describe, expect, test } from 'vitest';
import { dryRunAnswer } from '../../functions/_shared/answers.ts';
import { plain } from '../../scripts/command/printable.ts';
import {
  announcement,
  callLines,
  estimateText,
  stageLines,
  triggerLines,
  untriedText,
  verdict,
} from '../../scripts/migrate/dry-run-words.ts';

const users = { stage: 1, entity_singular: 'user', entity_plural: 'users' };
const bookings = { stage: 2, entity_singular: 'booking', entity_plural: 'bookings' };
const allUsers = { ...users, outcome: 'complete', pending: 20, tried: 20, moved: 20, failed: 0 };
const someUsers = { ...users, outcome: 'part', reason: 'time', pending: 20, tried: 5, moved: 5, failed: 0 };
const noUsers = { ...users, outcome: 'not_tried', reason: 'locked', pending: 20 };
const noneLeft = { ...users, outcome: 'nothing_pending', pending: 0 };
const noBookings = { ...bookings, outcome: 'not_tried', reason: 'time', pending: 8 };
const waited = { ...someUsers, reason: 'waiters' };
const unsure = { ...bookings, outcome: 'not_tried', reason: 'earlier_stage', pending: 8, unsure: 3 };

const answer = (fields: Record<string, unknown>) =>
  dryRunAnswer.parse({ plan: 'avatars', mode: 'sample', status: 'working', ...users, ...fields });
const commands = { migrate: 'MIGRATE', again: 'AGAIN' };
const wrong = [{ name: 'counts', found: 2, held: 0 }];

describe('the verdict of a dry run', () => {
  test.each([
    [
      'all tried, all moved',
      { status: 'done', stages: [allUsers] },
      'done',
      'It works: 20 users moved and taken back. Nothing was changed.',
    ],
    [
      'a part tried',
      { stages: [someUsers] },
      'done',
      'What was tried works: 5 users. Nothing was changed. Not tried: 15 of 20 users (time was up).',
    ],
    [
      'a part tried of a full one',
      { mode: 'full', stages: [someUsers] },
      'left',
      'What was tried works: 5 users. Nothing was changed. Not tried: 15 of 20 users (time was up).',
    ],
    [
      'a stage not reached',
      { stages: [allUsers, noBookings] },
      'done',
      'What was tried works: 20 users. Nothing was changed. Not tried: 8 bookings (time was up).',
    ],
    [
      'a stage that needs an earlier one',
      { stages: [someUsers, unsure] },
      'done',
      'What was tried works: 5 users. Nothing was changed. Not tried: 15 of 20 users (time was up); 8 bookings (they need what an earlier stage moves).',
    ],
    [
      'ended by somebody who waited',
      { mode: 'full', stages: [waited] },
      'left',
      'What was tried works: 5 users. Nothing was changed. Not tried: 15 of 20 users (somebody waited for its locks).',
    ],
    [
      'nothing tried',
      { stages: [noUsers] },
      'left',
      'Nothing could be tried. Nothing was changed. Not tried: 20 users (others hold them).',
    ],
    [
      'nothing pending',
      { status: 'done', stages: [noneLeft] },
      'done',
      'Nothing is left to be moved, so nothing was tried. Nothing was changed.',
    ],
    [
      'some failed',
      { failed: 2, stages: [{ ...allUsers, moved: 18, failed: 2 }] },
      'left',
      '2 users would be set aside. Nothing was changed.',
    ],
    [
      'some failed, and not all tried',
      { failed: 2, stages: [{ ...someUsers, moved: 3, failed: 2 }] },
      'left',
      '2 users would be set aside. Nothing was changed. Not tried: 15 of 20 users (time was up).',
    ],
    [
      'the error budget used up',
      { status: 'failed', failed: 101, error: { code: 'IM020' }, stages: [someUsers] },
      'failed',
      'The dry run stopped after 101 failures. Nothing was changed.',
    ],
    [
      'an error',
      { status: 'failed', error: { code: 'IM060' }, stages: [noUsers] },
      'failed',
      'The dry run failed. Nothing was changed.',
    ],
    [
      'checks that find something',
      { status: 'done', findings: wrong, stages: [allUsers] },
      'left',
      'All are moved, but then the checks find something wrong. Nothing was changed.',
    ],
    [
      'checks that find something, and not all tried',
      { status: 'done', findings: wrong, stages: [{ ...someUsers, reason: 'locked' }] },
      'left',
      'The checks find something wrong, perhaps for want of what was not tried. Nothing was changed. Not tried: 15 of 20 users (others hold them).',
    ],
  ])('%s', (_, fields, status, message) => {
    expect(verdict(answer(fields), commands)).toMatchObject({ status, message });
  });

  test('says "It works" of what was tried whole, and of nothing else', () => {
    const parts = [someUsers, noUsers, waited];
    for (const stages of parts.flatMap((part) => [
      [part],
      [part, noBookings],
      [allUsers, { ...part, stage: 2 }],
    ]))
      for (const mode of ['sample', 'full'])
        expect(verdict(answer({ mode, stages }), commands).message).not.toContain('It works');
  });
});

test('each stage has a line of its own, what was not tried as well', () => {
  const dry = answer({ stages: [{ ...someUsers, per_second: 1200, locked: 2 }, unsure] });
  expect(stageLines(dry)).toEqual([
    '1. users: 5 of 20 users, 5 moved, 0 failed, 2 locked by others, 1,200/s',
    '2. bookings: 0 of 8 bookings, 0 moved, 0 failed, 3 failed, perhaps for want of an earlier stage',
  ]);
  expect(plain(untriedText(dry))).toBe(
    '15 of 20 users (time was up)\n8 bookings (they need what an earlier stage moves)',
  );
  expect(stageLines(answer({ stages: [{ ...noneLeft }] }))).toEqual(['nothing pending']);
});

test('an estimate is the sum of the stages, or names the stage for which there is none', () => {
  const stages = [someUsers, noBookings];
  const known = { total: 28, is_estimate: true, seconds: 90, unknown_stages: [] };
  expect(estimateText(answer({ stages, estimate: known }))).toBe(
    'about 28 users in about 1 min 30 s, by one worker',
  );
  const unknown = { total: 28, seconds: null, unknown_stages: [2] };
  expect(estimateText(answer({ stages, estimate: unknown }))).toBe(
    'not known: too little was tried of bookings',
  );
});

describe('before it starts', () => {
  const limits = { sample_ms: 3000, full_ms: 62_500, prepare_ms: 2500, wait_ms: 250 };
  const looked = (mode: string, fields = {}) =>
    answer({ mode: 'preflight', limits, locks: [{ object: 'public.users', mode }], ...fields });

  test('which tables are locked against all others, and for how long at most', () => {
    expect(announcement('sample', looked('ACCESS EXCLUSIVE')).join(' ')).toMatch(
      /For at most 3\.0 s .*ACCESS EXCLUSIVE: nobody else reads or writes them.*public\.users.*waited 250 ms/,
    );
  });

  test('which rows are locked where the plan is prepared', () => {
    expect(announcement('full', looked('ROW EXCLUSIVE')).join(' ')).toMatch(
      /For at most 1 min 3 s .*rows.*ROW EXCLUSIVE.*public\.users.*waited 250 ms/,
    );
  });

  test('nothing, where it will be refused', () => {
    expect(announcement('full', looked('ROW EXCLUSIVE', { problems: [{ severity: 'error' }] }))).toEqual([]);
  });
});

describe('triggers of the app', () => {
  const one = {
    object: 'public.users',
    trigger: 'notify',
    event: 'update',
    level: 'row',
    fired: 300,
    estimate: 20_000,
  };
  test.each([
    [{}, 'webhook notify on public.users (update): 300 calls so far, about 20,000 for the run'],
    [
      { is_most: true, estimate: null },
      'webhook notify on public.users (update): at most 300 calls so far, for the run not known: too little was tried',
    ],
    [
      { asks_in_batch: true },
      'webhook notify on public.users (update): 300 calls so far, about 20,000 for the run (its function asks imago.in_batch(), and may do nothing then)',
    ],
    [
      { level: 'statement', fired: 1, calls: ['pg_notify'] },
      'pg_notify notify on public.users (update): 1 call so far, at most 20,000 for the run',
    ],
  ])('that call out are told as calls', (fields, expected) => {
    const dry = answer({ triggers: [{ ...one, calls: ['net.http_post'], ...fields }] });
    expect([callLines(dry), triggerLines(dry)]).toEqual([[expected], []]);
  });

  test('that do not are told apart', () => {
    const dry = answer({ triggers: [{ ...one, calls: [] }] });
    expect([callLines(dry), triggerLines(dry)]).toEqual([
      [],
      ['notify on public.users (update): 300 times so far, about 20,000 for the run'],
    ]);
  });
});
