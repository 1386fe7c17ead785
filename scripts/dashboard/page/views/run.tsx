/** A run as it goes: how far, how fast, how gently, and what it waits for. */
import { breakdown, bytes, duration, whole } from '../../../command/figures.ts';
import { conditionIn, conditionText, limitsText, noticesOf } from '../../../command/health.ts';
import { cohortText } from '../../../command/progress-words.ts';
import { drive, isDriving } from '../drive.ts';
import { type Lane, type Progress, performance, plan, progress } from '../state.ts';
import { moment, sentence } from '../words.ts';
import { Bar } from './bar.tsx';
import { Chart } from './chart.tsx';
import { type Fact, Facts } from './facts.tsx';
import { Far } from './far.tsx';

export function RunPanel() {
  const now = progress.value as Progress;
  return (
    <>
      <HowFar now={now} />
      <Condition now={now} />
      <Chart />
      <Stages now={now} />
      <Lanes now={now} />
      <Measured />
    </>
  );
}

function HowFar({ now }: { now: Progress }) {
  const about = now.total_is_estimate ? '≈ ' : '';
  const isBack = now.direction === 'rollback' && now.state !== 'none';
  const sizes = now.lanes.filter(({ done }) => !done).map(({ batch_size }) => batch_size ?? 0);
  const moves = conditionIn(now).kind !== 'waiting';
  return (
    <section aria-label="How far it is">
      <Far counts={now} words={now} isBack={isBack} />
      <dl class="figures">
        <Figure
          name={isBack ? 'To take back' : 'Pending'}
          value={`${about}${whole(isBack ? now.migrated : now.pending)}`}
        />
        <Figure name="Set aside" value={whole(now.failed)} tone={now.failed > 0 ? 'bad' : ''} />
        <Figure name="In conflict" value={whole(now.conflicts)} tone={now.conflicts > 0 ? 'bad' : ''} />
        <Figure name="Held" value={whole(now.held)} />
        <Figure name="A minute" value={moves && now.per_minute ? whole(now.per_minute) : '–'} />
        <Figure name="Left" value={moves && now.eta_seconds ? duration(now.eta_seconds * 1000) : '–'} />
        <Figure name="Sub-batch" value={sizes.length > 0 ? whole(Math.max(...sizes)) : '–'} />
        <Figure name="Held rows, p99" value={millis(performance.value?.held_ms?.p99)} />
      </dl>
      {now.cohort && (
        <p class="muted">
          Only some first ({cohortText(now.cohort)}): {whole(now.outside)} outside are pending.
        </p>
      )}
      {now.checking != null && <p>The checks at the end go on: {now.checking} %.</p>}
      {now.state === 'failed' && now.reason && <p class="bad">It was stopped: {sentence(now.reason)}</p>}
      {now.count_error && (
        <p class="bad">
          {now.count_error.message} {now.count_error.hint}
        </p>
      )}
    </section>
  );
}

function Figure({ name, value, tone = '' }: { name: string; value: string; tone?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone}>{value}</dd>
    </div>
  );
}

const millis = (value: number | null | undefined): string => (value == null ? '–' : duration(value));

/** One line that is always there: what the governor makes of it, and who works. */
function Condition({ now }: { now: Progress }) {
  const condition = conditionIn(now);
  const text = conditionText(condition);
  const limits = limitsText(now.throttle, now);
  return (
    <section class="condition" aria-label="The governor">
      <p class={now.state === 'running' ? condition.kind : 'idle'}>
        <span class="dot" aria-hidden="true" />
        {text ? sentence(text) : whoWorks(now)}
      </p>
      {(now.health?.reasons ?? []).length > 1 && now.state === 'running' && (
        <ul>
          {now.health?.reasons.map(({ signal, name, level, reason }) => (
            <li key={`${signal} ${name}`} class={level > 1 ? 'bad' : level > 0 ? 'warn' : 'muted'}>
              {sentence(reason)}
            </li>
          ))}
        </ul>
      )}
      {noticesOf(now).map((line) => (
        <p key={line} class="muted">
          {sentence(line)}
        </p>
      ))}
      {limits && <p class="muted">Limits: {limits}.</p>}
    </section>
  );
}

function whoWorks({ state, scheduled, per_minute }: Progress): string {
  const here = isDriving.value ? `This page works on it with ${drive.value?.callers} callers.` : '';
  const cron = scheduled ? `pg_cron works on it every ${scheduled}.` : '';
  if (here || cron) return [here, cron].filter(Boolean).join(' ');
  if (state === 'running' || state === 'pending') {
    return per_minute
      ? 'Somebody else works on it.'
      : 'Nobody works on it at the moment: Go on, from here or anywhere.';
  }
  if (state === 'paused') return 'Paused: nothing moves until somebody resumes it.';
  return 'Nothing is under way.';
}

function Stages({ now: { stages } }: { now: Progress }) {
  if (stages.length < 2) return null;
  return (
    <section>
      <h2>Stages</h2>
      <ul class="bars">
        {stages.map((stage) => (
          <li key={stage.stage}>
            <span>
              {stage.stage}. {stage.entity_plural}
            </span>
            <Bar
              label={`Stage ${stage.stage}, ${stage.entity_plural}`}
              part={stage.percentage ?? 0}
              whole={100}
            />
            <span class="number">
              {whole(stage.migrated)} of {stage.total_is_estimate ? '≈ ' : ''}
              {whole(stage.total)}
              {stage.failed > 0 && ` · ${whole(stage.failed)} set aside`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Each lane is a range of keys with its own cursor: how much of it was done, against the busiest of its stage. */
function Lanes({ now: { lanes, run, stages } }: { now: Progress }) {
  const main = lanes.filter(({ pass }) => pass === 'main');
  const late = lanes.filter(({ pass }) => pass === 'late');
  if (main.length === 0) return null;
  const walked = (of: Lane[]): string => `${of.filter(({ done }) => done).length} of ${of.length}`;
  const isLate = late.some(({ done }) => !done) && main.every(({ done }) => done);
  return (
    <section>
      <h2>
        Lanes <span class="muted">of run {run}</span>
      </h2>
      <p class="muted">
        {walked(main)} walked{isLate && `, and again for what came meanwhile ${walked(late)}`}. A lane is a
        range of keys; the next caller takes the one that is least advanced.
      </p>
      {stages.map((stage) => {
        const own = main.filter((lane) => (lane.stage ?? 1) === stage.stage);
        if (own.length === 0) return null;
        const most = Math.max(1, ...own.map(({ processed }) => processed));
        return (
          <figure key={stage.stage}>
            {stages.length > 1 && (
              <figcaption class="muted">
                {stage.stage}. {stage.entity_plural}
              </figcaption>
            )}
            <div
              class="lanes"
              style={{ '--narrow': Math.min(24, own.length), '--wide': Math.min(48, own.length) }}
              role="img"
              aria-label={`${walked(own)} lanes are walked`}
            >
              {own.map((lane) => (
                <LaneBar key={lane.number} lane={lane} most={most} />
              ))}
            </div>
          </figure>
        );
      })}
    </section>
  );
}

function LaneBar({ lane: { number, processed, failed, done }, most }: { lane: Lane; most: number }) {
  const height = `${Math.max(4, Math.round((100 * processed) / most))}%`;
  const title = `Lane ${number}: ${whole(processed)} processed${failed > 0 ? `, ${whole(failed)} set aside` : ''}${done ? ', walked' : ''}`;
  return (
    <span title={title} class={done ? 'done' : ''}>
      <i style={{ height }} class={`lane ${failed > 0 ? 'bad' : ''}`} />
    </span>
  );
}

function Measured() {
  const seen = performance.value;
  if (!seen || seen.batches === 0) return null;
  const { batch_ms, held_ms, rows, waited_ms_by_signal, errors_by_sqlstate } = seen as typeof seen & {
    rows?: Record<string, number>;
  };
  const trio = (values: Record<string, number | null> | null | undefined): string =>
    ['p50', 'p95', 'p99', 'max']
      .flatMap((name) => (values?.[name] == null ? [] : [`${name} ${duration(values[name])}`]))
      .join(' · ') || '–';
  const facts: Fact[] = [
    ['Begun', moment(progress.value?.started_at)],
    ['Average', seen.per_minute_average ? `${whole(seen.per_minute_average)} a minute` : '–'],
    ['Sub-batches', `${whole(seen.batches)}: ${trio(batch_ms)}`],
    ['Rows were held', trio(held_ms)],
    ['Rows written', breakdown(rows ?? {}) || '–'],
    [
      'Trouble',
      `${whole(seen.deferred_batches)} deferred · ${whole(seen.halved_batches)} halved · ${whole(seen.timed_out_batches)} timed out`,
    ],
    ['Held by the governor', list(waited_ms_by_signal, duration)],
    ['Errors', list(errors_by_sqlstate, whole)],
    ['Journal', bytes(plan.value?.journal_bytes ?? 0)],
  ];
  return (
    <section>
      <h2>Measured</h2>
      <Facts facts={facts} />
    </section>
  );
}

function list(values: Record<string, number>, text: (value: number) => string): string {
  const some = Object.entries(values).filter(([, value]) => value > 0);
  return some.map(([name, value]) => `${name} ${text(value)}`).join(' · ') || 'none';
}
