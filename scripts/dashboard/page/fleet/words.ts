/** The fleet in words. */
import { counted, duration, whole } from '../../../command/figures.ts';
import type { FleetProgress } from '../../../fleet/progress.ts';
import type { Rollout } from './state.ts';

export type Wave = FleetProgress['waves'][number];

export const rolloutWords: Record<Rollout['state'], string> = {
  running: 'running',
  paused: 'paused',
  stopped: 'stopped',
  succeeded: 'succeeded',
  failed: 'ended, some failed',
  cancelled: 'cancelled',
};

/** In the order in which they are drawn: what has ended, what is under way, what is to come. */
export const memberWords = {
  succeeded: 'succeeded',
  failed: 'failed',
  skipped: 'left alone',
  working: 'at work',
  waiting: 'waiting',
  pending: 'not begun',
} as const;

export type MemberState = keyof typeof memberWords;
export const memberStates = Object.keys(memberWords) as MemberState[];

/** What it does, for the list and the title. */
export const rolloutName = ({ kind, plan }: Pick<Rollout, 'kind' | 'plan'>): string =>
  [kind === 'push' ? 'push of migrations' : kind, plan].filter(Boolean).join(' ');

/** Where a wave stands, and what it waits for. */
export function waveText({ state, soak_left_seconds: left, failed }: Wave, isLast: boolean): string {
  switch (state) {
    case 'waiting':
      return 'waits for the wave before';
    case 'running':
      return 'at work';
    case 'soaking':
      return `soaks: ${duration((left ?? 0) * 1000)} left, then its members are checked again`;
    case 'checking':
      return 'has soaked, and is checked again';
    case 'passed':
      return isLast ? 'ended' : 'gate passed';
    case 'failed':
      return `ended: ${whole(failed)} failed`;
    case 'stopped':
      return failed > 0
        ? `stopped at its gate: ${whole(failed)} failed`
        : 'stopped at its gate: all were left alone';
  }
}

/** What to do about a member where nothing was said. */
export const usualAdvice: Record<string, string> = {
  waiting: 'Nothing: it is tried again by itself.',
  failed: 'Correct the cause, then retry it.',
  skipped: 'Correct the cause, then retry it.',
};

/** Who works on it, or what to do where it does not go on. */
export function nextStep({ state, code, members, workers, kind }: FleetProgress): string {
  const troubled = members.failed + members.skipped;
  switch (state) {
    case 'running':
      return workers.length === 0
        ? 'No worker is alive, so nothing moves. Start one: npx --no imago fleet worker'
        : `${counted(workers.length, 'worker')} alive, ${counted(members.working, 'member')} at work.`;
    case 'paused':
      return 'It rests, and no member is begun until it is resumed.';
    case 'stopped':
      return code === 'gate'
        ? 'Correct the cause, then Retry. Or Resume without the members that failed.'
        : 'Correct the cause, then Retry. Or Resume with a larger budget.';
    case 'failed':
      return 'Correct the causes below, then Retry. All other members are done.';
    case 'cancelled':
      return 'It was cancelled: members stay where they are.';
    case 'succeeded':
      return troubled > 0
        ? 'Some members were left alone: see below. Correct the cause, then Retry.'
        : kind === 'migrate'
          ? 'All members are done. It can be taken back at any time.'
          : 'All members are done.';
  }
}
