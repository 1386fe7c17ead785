/** Before a start: what is missing, what a try comes to, and what the whole run will write. */
import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { type DryRunAnswer, dryRunAnswer } from '../../../../functions/_shared/answers.ts';
import { breakdown, bytes, duration, whole } from '../../../command/figures.ts';
import { ask } from '../connection.ts';
import { tell } from '../drive.ts';
import { isResting, looked, planName, role } from '../state.ts';
import { moment, sentence } from '../words.ts';
import { type Fact, Facts } from './facts.tsx';

type Mode = 'preflight' | 'sample' | 'full';

const seen = signal<DryRunAnswer | undefined>(undefined);

const reasons: Record<string, string> = {
  time: 'the time was up',
  waiters: 'somebody waited for it',
  held: 'the governor held it',
  locked: 'others held what it needed',
  failures: 'the error budget was used up',
  error: 'an error ended it',
  earlier_stage: 'an earlier stage was tried in part only',
  external: 'it is done outside of the database',
};

export function RehearsalPanel() {
  const [busy, setBusy] = useState<Mode | undefined>(undefined);
  const answer = seen.value?.plan === planName.value ? seen.value : undefined;
  const mayNot = role.value === 'viewer' ? 'You are a viewer. An operator may rehearse.' : undefined;

  const rehearse = async (mode: Mode): Promise<void> => {
    if (mayNot !== undefined || busy) return;
    setBusy(mode);
    isResting.value = true;
    await looked();
    try {
      const body = { plan: planName.value, dry_run: mode, ...(mode === 'full' && { max_seconds: 60 }) };
      seen.value = await ask('migrate', { body }, dryRunAnswer);
    } catch (error) {
      tell(error);
    }
    isResting.value = false;
    setBusy(undefined);
  };
  const button = (mode: Mode, label: string) => (
    <button
      type="button"
      class={mode === 'preflight' ? 'primary' : ''}
      aria-disabled={mayNot !== undefined || busy !== undefined}
      title={mayNot}
      onClick={() => rehearse(mode)}
    >
      {busy === mode ? 'Trying …' : label}
    </button>
  );

  return (
    <>
      <div class="actions">
        {button('preflight', 'Look only')}
        {button('sample', 'Try a sample')}
        {button('full', 'Try everything, up to a minute')}
      </div>
      <Facts
        facts={[
          ['Look only', 'What is missing or of the wrong type. Takes no locks, changes nothing.'],
          [
            'Try',
            'The real run, taken back: it locks the rows that it writes until it ends, and ends early when somebody waits for them. On a plan that is not prepared it also locks whole tables, for half a second of work. Says what the whole run will write.',
          ],
        ]}
      />
      {answer && <Came answer={answer} />}
    </>
  );
}

function Came({ answer }: { answer: DryRunAnswer }) {
  const { mode, problems, notices, locks, stages, error, failures, forecast, rows, locks_held_ms, limits } =
    answer;
  const list = problems ?? [];
  const isSound = !list.some(({ severity }) => severity === 'error') && !error && answer.failed === 0;
  return (
    <section role="status">
      <p class={`verdict ${isSound ? 'good' : 'bad'}`}>
        {isSound
          ? mode === 'preflight'
            ? 'Nothing stands in the way.'
            : 'What was tried works.'
          : 'Something has to be fixed first.'}
      </p>
      {error && (
        <p class="bad">
          {error.code}: {error.message} {error.hint}
        </p>
      )}
      {list.map(({ severity, object, message, hint }) => (
        <article key={`${object} ${message}`} class={`card ${severity}`}>
          <h3>{object}</h3>
          <p>
            {message} {hint}
          </p>
        </article>
      ))}
      {(notices ?? []).map(({ object, message }) => (
        <p key={`${object} ${message}`} class="muted">
          <code>{object}</code>: {message}
        </p>
      ))}
      {mode === 'preflight' && locks && locks.length > 0 && (
        <p class="muted">
          A try may lock {locks.map(({ object, mode: lock }) => `${object} (${lock})`).join(', ')}
          {limits && `, for ${duration(limits.sample_ms)} at most as a sample`}.
        </p>
      )}
      {stages?.map((stage) => (
        <p key={stage.stage}>
          <strong>{stage.entity_plural}</strong>: {whole(stage.tried)} of{' '}
          {stage.pending_is_estimate ? '≈ ' : ''}
          {whole(stage.pending)} tried, {whole(stage.moved)} would move, {whole(stage.failed)} would be set
          aside
          {stage.reason && `; ${reasons[stage.reason] ?? stage.reason}`}.
        </p>
      ))}
      {mode !== 'preflight' && breakdown(rows) && (
        <p class="muted">Rows written and taken back: {breakdown(rows)}.</p>
      )}
      {locks_held_ms != null && <p class="muted">Table locks were held for {duration(locks_held_ms)}.</p>}
      {(failures ?? []).length > 0 && (
        <details>
          <summary>{whole((failures ?? []).length)} that would be set aside</summary>
          <ul class="keys">
            {(failures ?? []).map((one) => (
              <li key={String(one.entity)}>
                <code>{String(one.entity)}</code>{' '}
                {[one.sqlstate, one.constraint, one.raised_by].filter(Boolean).join(' · ')}
              </li>
            ))}
          </ul>
        </details>
      )}
      {forecast && forecast.entities > 0 && (
        <>
          <h2>The whole run</h2>
          <Facts facts={forecastFacts(forecast)} />
          {(forecast.unknown_stages ?? []).length > 0 && (
            <p class="muted">
              Too little was tried to say what it takes: prepare the plan first, or try when the app is quiet.
            </p>
          )}
          {forecast.problems.map(({ severity, message, remedy }) => (
            <article key={message} class={`card ${severity}`}>
              <p>{sentence(message)}</p>
              {remedy && <code>{remedy}</code>}
            </article>
          ))}
        </>
      )}
    </section>
  );
}

function forecastFacts(forecast: NonNullable<DryRunAnswer['forecast']>): Fact[] {
  const { entities, is_estimate, seconds, wal_bytes, journal_bytes, table_bytes, ends_at } = forecast;
  return [
    ['To move', `${is_estimate ? '≈ ' : ''}${whole(entities)}`],
    ...(seconds > 0
      ? ([
          ['Work', duration(seconds * 1000)],
          ['Write-ahead log', bytes(wal_bytes)],
          ['Journal', bytes(journal_bytes)],
          ['Tables grow by', bytes(table_bytes)],
        ] as const)
      : []),
    ...(ends_at ? ([['Begun now, it ends', moment(ends_at)]] as const) : []),
  ];
}
