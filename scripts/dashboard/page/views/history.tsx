/** The runs, forward and back side by side. */
import type { HistoryRun } from '../../../../functions/_shared/validation.ts';
import type { Words } from '../../../../functions/_shared/words.ts';
import { duration, whole } from '../../../command/figures.ts';
import { history } from '../state.ts';
import { moment, stateWords } from '../words.ts';
import { RunPicture } from './run-picture.tsx';

export function HistoryPanel() {
  const seen = history.value;
  if (!seen) return <p class="muted">Reading …</p>;
  if (seen.runs.length === 0) {
    return (
      <div class="empty">
        <h2>No run yet</h2>
        <p>Each run appears here, forward and back, with how fast it was.</p>
      </div>
    );
  }
  const newest = seen.runs.toReversed();
  return (
    <div class="sides">
      <Side title="Forward" runs={newest.filter(({ direction }) => direction !== 'rollback')} words={seen} />
      <Side title="Back" runs={newest.filter(({ direction }) => direction === 'rollback')} words={seen} />
    </div>
  );
}

function Side({ title, runs, words }: { title: string; runs: HistoryRun[]; words: Words }) {
  return (
    <section>
      <h2>{title}</h2>
      {runs.length === 0 && <p class="muted">None.</p>}
      {runs.map((run) => (
        <article key={String(run.run)} class="card run">
          <header>
            <h3>
              Run {run.run}
              {run.direction === 'fix' && ', fixes'}
            </h3>
            <span class={`chip ${run.state}`}>{stateWords[run.state] ?? run.state}</span>
          </header>
          <Spark run={run} />
          <p>
            {whole(run.moved)} {words.entity_plural} {run.direction === 'rollback' ? 'taken back' : 'moved'}
            {run.failed > 0 && `, ${whole(run.failed)} set aside`}
          </p>
          <p class="muted">
            {moment(run.started_at)}
            {lasted(run)}
          </p>
          {run.points.length > 0 && (
            <details>
              <summary>Over time</summary>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what is wider than the page is reached by the keyboard */}
              <section class="scroll" aria-label={`Run ${run.run} over time`} tabIndex={0}>
                <RunPicture run={run} words={words} />
              </section>
            </details>
          )}
        </article>
      ))}
    </section>
  );
}

function lasted({ started_at, finished_at }: HistoryRun): string {
  const ms = Date.parse(finished_at ?? '') - Date.parse(started_at ?? '');
  return Number.isNaN(ms) ? '' : `, for ${duration(ms)}`;
}

/** The rate over time, as a line without axes. */
function Spark({ run: { points } }: { run: HistoryRun }) {
  const rates = points.flatMap(({ at, per_minute }) =>
    per_minute == null ? [] : [{ at: Date.parse(at), rate: per_minute }],
  );
  const [first] = rates;
  const last = rates.at(-1);
  if (!first || !last || rates.length < 2) return <div class="spark" />;
  const most = Math.max(...rates.map(({ rate }) => rate), 1);
  const wide = Math.max(1, last.at - first.at);
  const line = rates.map(
    ({ at, rate }) =>
      `${((100 * (at - first.at)) / wide).toFixed(1)},${(28 - (26 * rate) / most).toFixed(1)}`,
  );
  return (
    <svg
      class="spark"
      viewBox="0 0 100 30"
      preserveAspectRatio="none"
      role="img"
      aria-label={`At most ${whole(most)} a minute`}
    >
      <polyline points={line.join(' ')} vector-effect="non-scaling-stroke" />
    </svg>
  );
}
