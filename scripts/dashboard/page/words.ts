/** What things mean and what to do about them, in words. */
import type { FailuresAnswer } from '../../../functions/_shared/answers.ts';

type Group = FailuresAnswer['groups'][number];

export const stateWords: Record<string, string> = {
  none: 'not begun',
  pending: 'about to start',
  running: 'running',
  paused: 'paused',
  succeeded: 'succeeded',
  failed: 'stopped',
  cancelled: 'cancelled',
};

/** The way of a plan; where it stands is marked. */
export const phases = ['prepare', 'backfill', 'validate', 'finalize', 'clean up'] as const;

/** Which of them a plan is in; -1: before the first, or taken back. */
export function phaseNumber(phase: string): number {
  const at: Record<string, number> = {
    prepare: 0,
    backfill: 1,
    'late pass': 1,
    validate: 2,
    finalize: 3,
    finalized: 4,
    'cleaned up': 5,
  };
  return at[phase] ?? -1;
}

const kinds: Record<string, string> = {
  failed: 'Failed',
  deferred: 'Blocked by others',
  too_large: 'Too large for a call',
  unreachable: 'Not in the table that is walked',
  held: 'Held: taken back alone',
  conflict: 'In conflict',
};

const conflicts: Record<string, string> = {
  changed: 'a column was changed since',
  edited: 'a row that was inserted has been edited',
  rekeyed: 'a row has got another key',
  referenced: 'something refers to an inserted row',
  taken: 'another row is where a deleted one would come back',
  orphaned: 'a deleted row refers to one that is gone',
  deleted: 'another plan has deleted the row since',
};

/** What happened to a group, in one line. */
export function groupTitle({ kind, reason_kind, sqlstate, referenced_by }: Group): string {
  const why = reason_kind ? conflicts[reason_kind] : undefined;
  const by = referenced_by ? ` (${referenced_by})` : '';
  return [kinds[kind] ?? kind, why && `${why}${by}`, sqlstate].filter(Boolean).join(' · ');
}

/** Where it happened: names only. */
export function groupPlace({ relation, column, constraint, raised_by, stage }: Group): string {
  return [
    relation && [relation, column].filter(Boolean).join('.'),
    constraint && `constraint ${constraint}`,
    raised_by && `raised by ${raised_by}`,
    stage && stage > 1 && `stage ${stage}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

const advice: Record<string, string> = {
  failed:
    'Look at one of these rows in your app, fix what the database refuses, then Retry. All others have gone on.',
  deferred:
    'Somebody held these rows for long. End that transaction (pg_stat_activity shows it), then Retry.',
  too_large:
    'One alone does not fit a statement timeout. Move it over a connection with more time (docs/errors.md), or Retry when the server is quiet.',
  unreachable:
    'The plan wants to move these, and their row is not in the table that it walks. Fix the reference, then Retry.',
  held: 'You have taken these back alone. No run moves them again until migrate_entity asks for it by name.',
};

const conflictAdvice: Record<string, string> = {
  changed: 'They stay as they are, so that no edit is lost. Roll back with force to restore over it.',
  edited: 'They stay as they are, so that no edit is lost. Roll back with force to restore over it.',
  referenced:
    'Point what refers to it elsewhere, or delete it, then roll back again. Force does not go over references.',
};

/** What to do about a group. */
export function groupAdvice({ kind, reason_kind }: Group): string {
  if (kind !== 'conflict') return advice[kind] ?? 'See the log.';
  return (
    conflictAdvice[reason_kind ?? ''] ??
    'They stay as they are. Fix the cause in the app, then roll back again.'
  );
}

/** A moment as the reader's clock has it. */
export function moment(at: string | null | undefined): string {
  const date = new Date(at ?? '');
  return Number.isNaN(date.getTime())
    ? '–'
    : date.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}

export function sentence(text: string): string {
  const trimmed = text.trim();
  const ended = /[.!?]$/.test(trimmed) || trimmed === '' ? trimmed : `${trimmed}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
