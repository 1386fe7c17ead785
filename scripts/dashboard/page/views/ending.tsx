/** Without this page: the schedule. And the end for good: finalize, step by step. And the room that all of it takes. */
import { useEffect } from 'preact/hooks';
import { bytes, whole } from '../../../command/figures.ts';
import { finalizing, lookAtFinalize } from '../ending.ts';
import { lookAtSizes, plan, planName, progress, report, role } from '../state.ts';
import { Act } from './actions.tsx';

export function EndingPanel() {
  return (
    <>
      <Schedule />
      <Finalize />
      <Sizes />
    </>
  );
}

function Schedule() {
  const every = progress.value?.scheduled;
  return (
    <section>
      <h2>Schedule</h2>
      <p>
        {every
          ? `pg_cron works on it every ${every}. The job goes away by itself when the run ends.`
          : 'With pg_cron the database drives the run by itself, and nobody has to stay.'}
      </p>
      <div class="actions">
        <Act name="schedule" label={every ? 'Change …' : 'Schedule …'} />
        <Act name="unschedule" label="End the schedule …" />
      </div>
    </section>
  );
}

function Finalize() {
  const seen = finalizing.value?.plan === planName.value ? finalizing.value : undefined;
  const may = role.value === 'key';
  useEffect(() => {
    if (may) void lookAtFinalize();
  }, [may]);
  return (
    <section>
      <h2>Finalize</h2>
      <p>
        Ends the migration for good, when the app no longer needs the old side. Until the marked step all of
        it can be rolled back.
      </p>
      {!may && (
        <p class="muted">
          The steps are shown to who has the secret key: npx --no imago dashboard on your own machine.
        </p>
      )}
      {seen && (
        <>
          {(seen.obstacles ?? []).map(({ kind, reason, remedy }) => (
            <article key={kind + reason} class="card warning">
              <p>{reason}</p>
              <p class="muted">{remedy}</p>
            </article>
          ))}
          <ol class="steps">
            {(seen.list ?? []).map(({ number, name, done, closes, direct, statement }) => (
              <li key={number} class={done ? 'done' : ''}>
                <span>
                  {name}
                  {done && ' ✓'}
                </span>
                {closes && <span class="chip failed">no way back from here</span>}
                {direct && (
                  <p class="muted">
                    Where its table is large it runs over DATABASE_URL, by npm run migrate -- --finalize.{' '}
                    {statement && <code>{statement}</code>}
                  </p>
                )}
              </li>
            ))}
          </ol>
        </>
      )}
      <div class="actions">
        <Act name="finalize" label="Next step …" danger />
      </div>
    </section>
  );
}

function Sizes() {
  const bloat = report.value?.bloat ?? [];
  return (
    <section>
      <h2>Room</h2>
      <p>
        The journal takes {bytes(plan.value?.journal_bytes ?? 0)}. Clean-up drops it, 30 days after the end:{' '}
        <code>npm run migrate -- --cleanup</code>
      </p>
      {report.value && bloat.length === 0 && <p class="muted">No table of the plan has many dead rows.</p>}
      {bloat.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what is wider than the page is reached by the keyboard
        <section class="scroll" aria-label="Dead rows" tabIndex={0}>
          <table>
            <caption>Tables in which dead rows take room</caption>
            <thead>
              <tr>
                <th scope="col">Table</th>
                <th scope="col">Dead rows</th>
                <th scope="col">Grown by</th>
                <th scope="col">Autovacuum</th>
              </tr>
            </thead>
            <tbody>
              {bloat.map(({ relation, dead_rows, dead_percent, grown_bytes, autovacuum, statement }) => (
                <tr key={relation}>
                  <th scope="row">
                    <code>{relation}</code>
                  </th>
                  <td>
                    {whole(dead_rows)} ({dead_percent} %)
                  </td>
                  <td>{bytes(Math.max(0, grown_bytes ?? 0))}</td>
                  <td>{statement ? <code>{statement}</code> : autovacuum}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <button type="button" class="small" onClick={lookAtSizes}>
        Read again
      </button>
    </section>
  );
}
