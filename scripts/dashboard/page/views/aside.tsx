/** Who is set aside, by reason, with keys and what to do. Never values. */
import { counted, whole } from '../../../command/figures.ts';
import { whyNot } from '../offers.ts';
import { failures } from '../state.ts';
import { groupAdvice, groupPlace, groupTitle, moment } from '../words.ts';
import { openDialog } from './dialog.tsx';

type Group = NonNullable<typeof failures.value>['groups'][number];

export function AsidePanel() {
  const seen = failures.value;
  if (!seen) return <p class="muted">Reading …</p>;
  if (seen.groups.length === 0) {
    return (
      <div class="empty">
        <h2>Nobody is set aside</h2>
        <p>What cannot be moved, or cannot go back, appears here with the reason, while all others go on.</p>
      </div>
    );
  }
  return (
    <>
      {seen.groups.map((group) => (
        <GroupCard
          key={JSON.stringify({ ...group, found: 0, keys: 0, newest_at: 0, reason: 0 })}
          group={group}
          singular={seen.entity_singular}
          plural={seen.entity_plural}
        />
      ))}
    </>
  );
}

function GroupCard({ group, singular, plural }: { group: Group; singular: string; plural: string }) {
  const { found, keys, newest_at, kind, direction, reason, stage } = group;
  const place = groupPlace(group);
  const canGoBack = kind !== 'held' && direction === 'rollback';
  return (
    <article class={`card ${kind}`}>
      <header>
        <h2>{groupTitle(group)}</h2>
        <span class="found">{counted(found, singular, plural)}</span>
      </header>
      {place && (
        <p>
          <code>{place}</code>
        </p>
      )}
      {reason && kind !== 'conflict' && <p class="muted">{reason}</p>}
      <p>{groupAdvice(group)}</p>
      <details open={found <= 5}>
        <summary>
          Keys{keys.length < found ? ` (${whole(keys.length)} of ${whole(found)})` : ''}, the last at{' '}
          {moment(newest_at)}
        </summary>
        <ul class="keys">
          {keys.map((key) => (
            <li key={key}>
              <code>{key}</code>
              {canGoBack && (
                <button
                  type="button"
                  class="small"
                  aria-disabled={whyNot('rollback_one') !== undefined}
                  title={whyNot('rollback_one')}
                  onClick={() =>
                    whyNot('rollback_one') === undefined && openDialog('rollback_one', key, stage ?? 0)
                  }
                >
                  Roll back …
                </button>
              )}
            </li>
          ))}
        </ul>
      </details>
    </article>
  );
}
