/** Where the migration stands, for who checks it before it has come to its end. */
import type { ValidationAnswer } from '../../functions/_shared/validation.ts';
import { countedEntities } from '../command/figures.ts';
import { siblingName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import { about, leftParts, stageParts } from '../command/progress-words.ts';
import { spelled } from '../migrate/spelling.ts';

type Standing = NonNullable<ValidationAnswer['progress']>;

const unfinished: ReadonlySet<string> = new Set(['pending', 'running', 'paused']);

/** Whether a run is unfinished, or has ended before all was done. */
export function isLeft({ progress }: ValidationAnswer): boolean {
  if (!progress) return false;
  const { direction, failed, remaining, state, total_is_estimate } = progress;
  if (unfinished.has(state ?? '')) return true;
  if (state === 'none' || state == null) return false;
  // Even when everything is taken back it has yet to remove what it needed for that.
  if (direction === 'rollback') return state !== 'succeeded';
  // A run that has succeeded leaves nothing but what came later, and estimates do not show that.
  return failed > 0 || (remaining > 0 && !(state === 'succeeded' && total_is_estimate));
}

/** Stopped by an error it has more to move; with entities set aside it has not. */
function happened({ conflicts, direction, failed, migrated, remaining, state }: Standing): string {
  const more = direction === 'rollback' ? migrated - failed - conflicts : remaining;
  if (state === 'failed') return more > 0 ? 'has stopped' : 'has ended';
  return states[state ?? ''] ?? String(state);
}

const states: Record<string, string> = {
  pending: 'has not begun',
  running: 'is half-way',
  paused: 'is paused half-way',
  cancelled: 'was cancelled half-way',
  succeeded: 'has ended',
};

/** `The migration was cancelled half-way: 30 users pending, 1 failed.`, and a line for each stage of several. */
export function standingText(progress: Standing): string {
  const { direction, migrated, pending } = progress;
  const back = direction === 'rollback';
  const [, ...others] = leftParts(progress, direction);
  const left = `${about(progress)}${countedEntities(back ? migrated : pending, progress)} ${back ? 'to take back' : 'pending'}`;
  const all = [left, ...others.map(({ text }) => text)].join(', ');
  const stages = stageParts(progress).map((parts) => `  ${parts.map(({ text }) => text).join(' · ')}`);
  return [`The ${back ? 'rollback' : 'migration'} ${happened(progress)}: ${all}.`, ...stages].join(lineBreak);
}

/** What to do about it. */
export function standingSteps(progress: Standing, program: string, planFlags: readonly string[]): string[] {
  const { conflicts, direction, failed, state } = progress;
  const migrate = siblingName(program, 'migrate');
  const command = (...flags: string[]): string => spelled(migrate, [...planFlags, ...flags]);
  const again = command(...(direction === 'rollback' ? ['--rollback'] : []));
  if (state === 'paused') return [`Go on: ${command('--resume')}`];
  if (unfinished.has(state ?? '')) return [`Go on: ${again}`, `Or watch who does: ${command('--watch')}`];
  const force = conflicts > 0 ? [`Restore over later changes: ${command('--rollback', '--force')}`] : [];
  // Only a run that has failed has something to retry.
  if (state === 'failed')
    return force.length > 0 && failed === 0
      ? force
      : [`Fix the cause, then: ${command('--retry-failed')}`, ...force];
  return [
    `Go on: ${again}`,
    ...(direction === 'rollback' ? [] : [`Or take it back: ${command('--rollback')}`]),
  ];
}
