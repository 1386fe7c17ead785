/** The checks: what each has found, what that means, and what fixes it. */
import { useState } from 'preact/hooks';
import { breakdown, counted, whole } from '../../../command/figures.ts';
import { check, isChecking, previewFixes, validation } from '../checking.ts';
import { tell } from '../drive.ts';
import { planName } from '../state.ts';
import { Act } from './actions.tsx';
import { Bar } from './bar.tsx';

type Check = NonNullable<typeof validation.value>['checks'][number];

export function ChecksPanel() {
  const seen = validation.value?.plan === planName.value ? validation.value : undefined;
  const [showsAll, setAll] = useState(false);
  const checks = (seen?.checks ?? []).filter(({ applicable }) => applicable);
  const shown = showsAll ? checks : checks.filter((one) => one.found > 0 || one.error);
  return (
    <>
      <div class="actions">
        <button type="button" class="primary" disabled={isChecking.value} onClick={() => check().catch(tell)}>
          {isChecking.value ? 'Checking …' : 'Check now'}
        </button>
        {checks.some(({ fixable, left }) => fixable && left > 0) && (
          <Act name="fix" label="Fix …" before={previewFixes} />
        )}
      </div>
      <p class="muted">
        Checking changes nothing. It reads in pieces, and each fits a call; a large table takes a while.
      </p>
      {seen && (
        <>
          <Bar label="Checked" part={seen.percentage ?? 0} whole={100} />
          <p class={`verdict ${seen.has_more ? '' : seen.healthy ? 'good' : 'bad'}`} role="status">
            {verdictOf(seen)}
          </p>
          {shown.map((one) => (
            <CheckCard key={one.name} check={one} />
          ))}
          <label class="check">
            <input
              type="checkbox"
              checked={showsAll}
              onInput={({ currentTarget }) => setAll(currentTarget.checked)}
            />
            Show the {checks.length} checks, those without findings, too
          </label>
        </>
      )}
    </>
  );
}

function verdictOf({
  has_more,
  reason,
  percentage,
  errors,
  warnings,
  manual,
  healthy,
}: NonNullable<typeof validation.value>): string {
  if (has_more) return reason ? `Waiting: ${reason}` : `${percentage ?? 0} % looked at`;
  if (healthy && warnings === 0 && manual === 0) return 'Nothing is wrong.';
  return `${counted(errors, 'error')}, ${counted(warnings, 'warning')}, ${whole(manual)} for a person to look at.`;
}

function CheckCard({
  check: {
    name,
    severity,
    found,
    left,
    fixed,
    meaning,
    remedy,
    keys,
    findings,
    error,
    fixable,
    written,
    partial,
  },
}: {
  check: Check;
}) {
  return (
    <article class={`card ${found > 0 || error ? severity : 'clean'}`}>
      <header>
        <h2>
          <code>{name}</code>
        </h2>
        <span class="found">
          {partial ? 'so far ' : ''}
          {whole(found)} found{fixed > 0 ? `, ${whole(fixed)} fixed, ${whole(left)} left` : ''}
        </span>
      </header>
      <p>{meaning}</p>
      {found > 0 && <p>{remedy}</p>}
      {fixable && found > 0 && (
        <p class="muted">Fix corrects it{breakdown(written) && `: ${breakdown(written)}`}.</p>
      )}
      {error && (
        <p class="bad">
          {error.code}: {error.message} {error.hint}
        </p>
      )}
      {findings.map(({ object, message, hint }) => (
        <p key={object + message}>
          <code>{object}</code>: {message} {hint}
        </p>
      ))}
      {keys.length > 0 && (
        <details>
          <summary>Keys (up to ten)</summary>
          <ul class="keys">
            {keys.map((key) => (
              <li key={key}>
                <code>{key}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
    </article>
  );
}
