/** Figures between two looks: what was asked for last, moved along by what has been heard since. */
import type { FiguresMessage, Lane, ProgressAnswer } from '../../../functions/_shared/answers.ts';
import type { Counts } from '../../../functions/_shared/figures.ts';

/** The whole of it; undefined where the message is of another run, so that it has to be asked for. */
export function movedAlong(last: ProgressAnswer, heard: FiguresMessage): ProgressAnswer | undefined {
  const { plan, run, direction, state, per_minute, waiting, health, checking, lanes } = heard;
  if (plan !== last.plan || run !== last.run || state !== last.state) return undefined;
  const isBack = direction === 'rollback';
  const moreOf = (stage?: number): number => movedIn(lanes, stage) - movedIn(last.lanes, stage);
  const counts = countedOn(last, moreOf(), isBack);
  const left = isBack ? counts.migrated : counts.remaining;
  return {
    ...last,
    ...counts,
    stages: last.stages.map((stage) => ({ ...stage, ...countedOn(stage, moreOf(stage.stage), isBack) })),
    per_minute,
    eta_seconds: per_minute ? Math.ceil((60 * left) / per_minute) : null,
    waiting,
    health,
    checking,
    lanes,
  };
}

/** What the lanes of one stage have moved, or of all. */
function movedIn(lanes: readonly Lane[], stage: number | undefined): number {
  const own = lanes.filter((lane) => stage === undefined || (lane.stage ?? 1) === stage);
  return own.reduce((sum, { moved }) => sum + moved, 0);
}

type Moving = Pick<Counts, 'migrated' | 'pending' | 'remaining' | 'percentage'>;

/** What is estimated may be less than what has moved since. */
function countedOn({ migrated, pending, remaining }: Counts, more: number, isBack: boolean): Moving {
  const step = isBack ? -Math.min(migrated, more) : Math.min(pending, more);
  const now = { migrated: migrated + step, pending: pending - step };
  const all = now.migrated + now.pending;
  return {
    ...now,
    remaining: Math.max(0, remaining - step),
    // Rounded down, as SQL does it: 100 means that nothing is pending.
    percentage: all === 0 ? 100 : Math.floor((10_000 * now.migrated) / all) / 100,
  };
}
