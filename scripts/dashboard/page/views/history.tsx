/** The runs, forward and back side by side. */
import { duration, whole } from '../../../command/figures.ts';
import { history } from '../state.ts';
import { moment, stateWords } from '../words.ts';

type Run = NonNullable<typeof history.value>['runs'][number];

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
      <Side
        title="Forward"
        runs={newest.filter(({ direction }) => direction !== 'rollback')}
        words={seen.entity_plural}
      />
      <Side
        title="Back"
        runs={newest.filter(({ direction }) => direction === 'rollback')}
        words={seen.entity_plural}
      />
    </div>
  );
}

function Side({ title, runs, words }: { title: string; runs: Run[]; words: string }) {
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
            {whole(run.moved)} {words} {run.direction === 'rollback' ? 'taken back' : 'moved'}
            {run.failed > 0 && `, ${whole(run.failed)} set aside`}
          </p>
          <p class="muted">
            {moment(run.started_at)}
            {lasted(run)}
          </p>
        </article>
      ))}
    </section>
  );
}

function lasted({ started_at, finished_at }: Run): string {
  const ms = Date.parse(finished_at ?? '') - Date.parse(started_at ?? '');
  return Number.isNaN(ms) ? '' : `, for ${duration(ms)}`;
}

/** The rate over time, as a line without axes. */
function Spark({ run: { points } }: { run: Run }) {
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
