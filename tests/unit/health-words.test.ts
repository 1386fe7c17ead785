/** What people read of a run that is slowed, held or limited, and when they are told. */
import { describe, expect, test } from 'vitest';
import { batchAnswer, progressAnswer } from '../../functions/_shared/answers.ts';
import {
  conditionIn,
  conditionNotes,
  conditionOf,
  conditionText,
  limitsText,
  noticesOf,
  shortText,
} from '../../scripts/command/health.ts';
import type { Terminal } from '../../scripts/command/terminal.ts';

const slot = { signal: 'slot', name: 'pipelines', level: 2, reason: 'slot pipelines keeps 3.1 of 4.0 GB' };
const vacuum = {
  signal: 'vacuum',
  name: 'public.users',
  level: 1,
  reason: 'a vacuum of public.users is running',
};
const open = {
  signal: 'transaction',
  name: '7',
  level: 0,
  reason: 'the transaction of process 7 has been open for 400 s',
};
const held = (reason = slot.reason, waited_ms = 14_300) => ({
  share: 0,
  held_since: '2026-11-29T18:00:00+00:00',
  waited_ms,
  reasons: [{ ...slot, reason }],
});

const batch = (fields: Record<string, unknown>) => batchAnswer.parse({ has_more: true, ...fields });
const working = (health: unknown) => batch({ status: 'working', health });
const waiting = (health: unknown, reason = slot.reason) => batch({ status: 'waiting', reason, health });
const progress = (fields: Record<string, unknown>) =>
  progressAnswer.parse({ plan: 'avatars', total: 9, migrated: 3, pending: 6, remaining: 6, ...fields });

const textOf = (answer: Parameters<typeof conditionOf>[0]) => {
  const condition = conditionOf(answer);
  return condition && conditionText(condition);
};

describe('a batch is told of as', () => {
  test.each([
    ['held for a while', waiting(held()), 'waiting 14 s: slot pipelines keeps 3.1 of 4.0 GB'],
    [
      'held for long',
      waiting(held(slot.reason, 192_000)),
      'waiting 3 min 12 s: slot pipelines keeps 3.1 of 4.0 GB',
    ],
    ['held just now', waiting(held(slot.reason, 900)), 'waiting: slot pipelines keeps 3.1 of 4.0 GB'],
    ['held by another call', working(held()), 'waiting 14 s: slot pipelines keeps 3.1 of 4.0 GB'],
    [
      'held though all is fine again',
      working({ share: 0, waited_ms: 6_000, reasons: [] }),
      'waiting 6 s: what held the run has passed; it goes on in a moment',
    ],
    [
      'slowed',
      working({ share: 0.25, reasons: [vacuum] }),
      'slowed to 25 %: a vacuum of public.users is running',
    ],
    ['slowed by next to all', working({ share: 0.001, reasons: [vacuum] }), /^slowed to 1 %/],
    ['on its way back', working({ share: 0.4, reasons: [open] }), 'slowed to 40 %: it gets faster again'],
    ['fine', working({ share: 1, reasons: [open] }), undefined],
    ['out of its rate', waiting({ share: 1, reasons: [] }, 'the run moves at most 800 a second'), undefined],
    [
      'of a read-only database',
      batch({ status: 'waiting', reason: 'the database is read-only' }),
      'waiting: the database is read-only',
    ],
    ['locked out, which says nothing of it', batch({ status: 'busy' }), undefined],
  ])('%s', (_, answer, says) => {
    const text = textOf(answer);
    if (says instanceof RegExp) expect(text).toMatch(says);
    else expect(text).toBe(says);
  });
});

describe('figures are told of as', () => {
  test('held, slowed or with a notice while the run is running, and not by what was seen of one that is over', () => {
    const seen = { share: 0.5, reasons: [vacuum, open] };
    expect(shortText(conditionIn(progress({ state: 'running', health: seen })))).toBe(
      'to 50 %: a vacuum of public.users is running',
    );
    expect(noticesOf(progress({ state: 'running', health: seen }))).toEqual([open.reason]);
    expect(shortText(conditionIn(progress({ state: 'running', waiting: slot.reason, health: held() })))).toBe(
      'slot pipelines keeps 3.1 of 4.0 GB (for 14 s)',
    );
    for (const state of ['paused', 'succeeded', 'cancelled']) {
      expect(conditionIn(progress({ state, health: held() })).kind).toBe('fine');
      expect(noticesOf(progress({ state, health: seen }))).toEqual([]);
    }
    const readOnly = progress({ state: 'paused', waiting: 'read-only', health: { share: 1, reasons: [] } });
    expect(shortText(conditionIn(readOnly))).toBe('read-only');
    expect(conditionIn(progress({ state: 'none', health: null })).kind).toBe('fine');
  });
});

describe('notes', () => {
  const notesOf = (...answers: Parameters<typeof conditionOf>[0][]): string[] => {
    const said: string[] = [];
    const say = (line: string) => said.push(line);
    const note = conditionNotes({ info: say, warn: say } as unknown as Terminal);
    for (const answer of answers) note(conditionOf(answer));
    return said;
  };
  const fine = working({ share: 1, reasons: [] });

  test('say a hold once, however its figures move and no matter which call answers, and that it goes on', () => {
    expect(
      notesOf(
        fine,
        waiting(held()),
        waiting(held('slot pipelines keeps 3.2 of 4.0 GB'), 'slot pipelines keeps 3.2 of 4.0 GB'),
        batch({ status: 'busy' }),
        working(held()),
        waiting({ share: 0, reasons: [] }),
        working({ share: 0.1, reasons: [] }),
        working({ share: 0.9, reasons: [] }),
        fine,
      ),
    ).toEqual([
      'Waiting: slot pipelines keeps 3.1 of 4.0 GB. Nothing is lost, and it goes on by itself; Ctrl-C stops.',
      'Going on.',
    ]);
  });

  test('say a second reason, and a run that goes on slowed', () => {
    const archiver = { signal: 'archiver', level: 2, reason: 'archiving the write-ahead log fails' };
    expect(
      notesOf(
        waiting(held()),
        waiting({ share: 0, reasons: [archiver] }, archiver.reason),
        working({ share: 0.1, reasons: [vacuum] }),
      ).slice(1),
    ).toEqual([
      expect.stringMatching(/^Waiting: archiving the write-ahead log fails\. /),
      'Going on, slowed to 10 %: a vacuum of public.users is running.',
    ]);
  });

  test('say that a run is slowed once, not each share, and when it is at full speed', () => {
    const slowed = (share: number, ...reasons: unknown[]) => working({ share, reasons });
    expect(
      notesOf(slowed(0.5, vacuum), slowed(0.25, vacuum), slowed(0.35), slowed(0.17, vacuum), fine),
    ).toEqual(['Slowed to 50 %: a vacuum of public.users is running.', 'At full speed again.']);
  });

  test('say nothing of a rate that is used up for a moment', () => {
    const rate = waiting({ share: 1, reasons: [] }, 'the run moves at most 800 a second');
    expect(notesOf(fine, rate, fine, rate)).toEqual([]);
  });
});

describe('limits are told', () => {
  const set = { set_by: 'role:service_role', set_at: '2026-11-29T18:08:45.1+00:00' };
  const none = { hours: null, max_per_second: null, throttle_query: false, ignore: [], ...set };
  const words = { entity_singular: 'user', entity_plural: 'users' };
  test.each([
    [
      { hours: '22:00-06:00 UTC', max_per_second: 1800 },
      'works at 22:00-06:00 UTC, at most 1,800 users a second; role:service_role set it on 2026-11-29 18:08 UTC',
    ],
    [
      { throttle_query: true, ignore: ['vacuum', 'wal'] },
      'waits while its throttle_query is true, does not look at vacuum, wal; role:service_role set it on 2026-11-29 18:08 UTC',
    ],
    [{}, undefined],
  ])('%j', (limits, says) => {
    expect(limitsText({ ...none, ...limits }, words)).toBe(says);
    expect(limitsText(null, words)).toBeUndefined();
  });
});
