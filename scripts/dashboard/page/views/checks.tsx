/** The checks: what each has found, what that means, and what fixes it. */
import { useState } from 'preact/hooks';
import { summary } from '../../../validate/words.ts';
import { check, isChecking, previewFixes, purpose, validation } from '../checking.ts';
import { tell } from '../drive.ts';
import { planName } from '../state.ts';
import { Act } from './actions.tsx';
import { Bar } from './bar.tsx';
import { CheckCard } from './check-card.tsx';

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
          <h2 class="sr">Checks</h2>
          {shown.map((one) => (
            <CheckCard key={one.name} check={one} purpose={purpose.value} />
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

function verdictOf(seen: NonNullable<typeof validation.value>): string {
  const { has_more, reason, percentage } = seen;
  if (has_more) return reason ? `Waiting: ${reason}` : `${percentage ?? 0} % looked at`;
  const wrong = summary(seen);
  return wrong ? `Found: ${wrong}.` : 'Nothing is wrong.';
}
