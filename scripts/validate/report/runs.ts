/** The runs of a plan, in words. */
import type { HistoryRun } from '../../../functions/_shared/validation.ts';
import type { Words } from '../../../functions/_shared/words.ts';
import { countedEntities, duration, whole } from '../../command/figures.ts';

const states: Record<string, string> = {
  pending: 'has not begun',
  running: 'is not finished',
  paused: 'is paused',
  succeeded: 'succeeded',
  failed: 'ended with failures',
  cancelled: 'was cancelled',
};

/** How long a run took, pauses included; undefined where it has not ended. */
export function runMs(run: HistoryRun): number | undefined {
  if (!run.started_at || !run.finished_at) return undefined;
  return Math.max(0, Date.parse(run.finished_at) - Date.parse(run.started_at));
}

/** A point in time as everybody reads it the same. */
export function timeText(at: string | Date | null | undefined): string {
  if (!at) return '–';
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

const directions: Record<string, { text: string; did: string }> = {
  forward: { text: 'forward (migrating)', did: 'moved' },
  rollback: { text: 'rollback (taking back)', did: 'took back' },
  fix: { text: 'fix (of findings)', did: 'fixed' },
};

export function directionText(run: HistoryRun): string {
  return directions[run.direction]?.text ?? run.direction;
}

export function stateText(run: HistoryRun): string {
  return states[run.state] ?? run.state;
}

/** Lowest and highest of a series. */
function range(values: readonly (number | null | undefined)[], word: string): string | undefined {
  const numbers = values.filter((value) => typeof value === 'number');
  if (numbers.length === 0) return undefined;
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return low === high ? `${whole(low)} ${word}` : `between ${whole(low)} and ${whole(high)} ${word}`;
}

/** A run in two or three sentences, for who cannot see the picture as well. */
export function runText(run: HistoryRun, words: Words): string {
  const back = run.direction === 'rollback';
  const ms = runMs(run);
  const took = ms === undefined ? '' : ` in ${duration(ms)}`;
  const average = ms && run.moved > 0 ? `, ${whole(run.moved / (ms / 60_000))} a minute on average` : '';
  const size = range(
    run.points.map((point) => point.batch_size),
    words.entity_plural,
  );
  const rate = range(
    run.points.map((point) => point.per_minute),
    `${words.entity_plural} a minute`,
  );
  const aside = countedEntities(run.failed, words);
  const left = back
    ? run.failed > 0 && `Left alone because of conflicts: ${aside}.`
    : run.failed > 0
      ? `Set aside for a retry: ${aside}.`
      : 'Nothing was set aside.';
  return [
    `Run ${run.run} ${stateText(run)}: it ${directions[run.direction]?.did ?? 'moved'} ${countedEntities(run.moved, words)}${took}${average}.`,
    rate && `Its rate was ${rate}.`,
    size && `Sub-batches held ${size}.`,
    left,
  ]
    .filter(Boolean)
    .join(' ');
}
