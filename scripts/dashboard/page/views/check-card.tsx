/** What one check has found: what that means, what to do about it, and what a fix does. */
import type { CheckResult } from '../../../../functions/_shared/validation.ts';
import { counted } from '../../../command/figures.ts';
import type { Purpose } from '../../../validate/checks.ts';
import { fixText, foundText, troubleText } from '../../../validate/words.ts';

const fixed: Record<Purpose, string> = {
  check: '',
  preview: 'The fix would correct:',
  fix: 'Fixed:',
};

interface CheckCardProps {
  check: CheckResult;
  purpose: Purpose;
  /** Its keys are shown at once. */
  isOpen?: boolean;
}

export function CheckCard({ check, purpose, isOpen = false }: CheckCardProps) {
  const { name, severity, found, left, meaning, remedy, fixable, findings, keys, error } = check;
  const isFixed = purpose === 'fix' && left === 0;
  return (
    <article class={`card ${found > 0 || error ? severity : 'clean'}`}>
      <header>
        <h3>
          <code>{name}</code>
        </h3>
        {found > 0 && <span class={`chip ${severity}`}>{severity}</span>}
        <span class="found">{foundText(check)} found</span>
      </header>
      {meaning && <p>{meaning}</p>}
      {error && <p class="bad">{troubleText(check)}</p>}
      {found > 0 && remedy && !isFixed && (
        <p>
          <strong>What to do:</strong> {remedy}
        </p>
      )}
      {found > 0 && fixable && purpose !== 'check' && (
        <p>
          <strong>{fixed[purpose]}</strong> {fixText(check, purpose)}
        </p>
      )}
      {findings.length > 0 && (
        <ul class="objects">
          {findings.map(({ object, message, hint }) => (
            <li key={object + message}>
              <code>{object}</code>: {message} {hint !== remedy && hint}
            </li>
          ))}
        </ul>
      )}
      {keys.length > 0 && findings.length === 0 && (
        <details open={isOpen}>
          <summary>
            {found > keys.length ? `The first ${keys.length} keys` : counted(keys.length, 'key')}
          </summary>
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
