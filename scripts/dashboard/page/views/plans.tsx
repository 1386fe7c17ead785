/** All plans with their state; one is looked at. */
import { bytes, whole } from '../../../command/figures.ts';
import { notice } from '../drive.ts';
import { choosePlan, type Plan, planName, plans } from '../state.ts';
import { stateWords } from '../words.ts';

export function PlanList() {
  return (
    <nav class="plans" aria-label="Plans">
      <ul>
        {(plans.value?.plans ?? []).map((one) => (
          <li key={one.plan}>
            <button
              type="button"
              aria-current={one.plan === planName.value ? 'page' : undefined}
              onClick={() => {
                notice.value = undefined;
                choosePlan(one.plan);
              }}
            >
              <span class="name">{one.plan}</span>
              <StateChip plan={one} />
              <span class="about">{factsOf(one)}</span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function factsOf({ source_exists, source, phase, failed, conflicts, journal_bytes }: Plan): string {
  if (!source_exists) return `no table ${source} here`;
  return [
    phase,
    failed > 0 && `${whole(failed)} set aside`,
    conflicts > 0 && `${whole(conflicts)} in conflict`,
    journal_bytes > 0 && `journal ${bytes(journal_bytes)}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The state of the newest run, by a word and a colour. */
export function StateChip({ plan: { state, direction, source_exists } }: { plan: Plan }) {
  if (!source_exists) return <span class="chip quiet">not here</span>;
  const back = direction === 'rollback' && state !== 'none' ? 'back: ' : '';
  return <span class={`chip ${state}`}>{`${back}${stateWords[state] ?? state}`}</span>;
}
