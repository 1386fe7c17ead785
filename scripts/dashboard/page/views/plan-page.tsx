/** One plan: where it stands, what can be done, and all there is to see of it, by tabs. */
import type { JSX } from 'preact';
import { whole } from '../../../command/figures.ts';
import { notice } from '../drive.ts';
import { look, type Plan, progress, type Tab, tab, tabs } from '../state.ts';
import { phaseNumber, phases } from '../words.ts';
import { Actions } from './actions.tsx';
import { AsidePanel } from './aside.tsx';
import { ChecksPanel } from './checks.tsx';
import { EndingPanel } from './ending.tsx';
import { HistoryPanel } from './history.tsx';
import { LogPanel } from './log.tsx';
import { NoticeLine } from './notice.tsx';
import { StateChip } from './plans.tsx';
import { RehearsalPanel } from './rehearsal.tsx';
import { RunPanel } from './run.tsx';

const names: Record<Tab, string> = {
  run: 'Run',
  aside: 'Set aside',
  checks: 'Checks',
  rehearsal: 'Rehearsal',
  history: 'History',
  log: 'Log',
  ending: 'Schedule, end',
};

const panels: Record<Tab, () => JSX.Element> = {
  run: RunPanel,
  aside: AsidePanel,
  checks: ChecksPanel,
  rehearsal: RehearsalPanel,
  history: HistoryPanel,
  log: LogPanel,
  ending: EndingPanel,
};

export function PlanPage({ plan }: { plan: Plan }) {
  const Panel = panels[tab.value];
  return (
    <>
      <div class="title">
        <h1>{plan.plan}</h1>
        <StateChip plan={plan} />
      </div>
      <p class="muted subtitle">{plan.title}</p>
      {plan.source_exists ? (
        <>
          <Phases phase={plan.phase} />
          <Actions />
          <NoticeLine notice={notice} />
          <Tabs />
          <div
            role="tabpanel"
            id="panel"
            aria-labelledby={`tab-${tab.value}`}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what is below the tabs is reached by the keyboard
            tabIndex={0}
          >
            {progress.value ? <Panel /> : <p class="muted">Reading …</p>}
          </div>
        </>
      ) : (
        <div class="empty">
          <p>
            This plan walks the table <code>{plan.source}</code>, and this database has none. It is in the
            box, and for an app of another kind.
          </p>
        </div>
      )}
    </>
  );
}

function Phases({ phase }: { phase: string }) {
  const at = phaseNumber(phase);
  return (
    <ol class="phases" aria-label={`Phase: ${phase}`}>
      {phases.map((name, index) => (
        <li
          key={name}
          class={index < at ? 'past' : index === at ? 'now' : ''}
          aria-current={index === at ? 'step' : undefined}
        >
          {index === at && phase !== name && at < 4 ? phase : name}
        </li>
      ))}
    </ol>
  );
}

function Tabs() {
  const aside =
    (progress.value?.failed ?? 0) + (progress.value?.conflicts ?? 0) + (progress.value?.held ?? 0);
  const choose = (name: Tab): void => {
    tab.value = name;
    look();
  };
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs.at((tabs.indexOf(tab.value) + step) % tabs.length) as Tab;
    choose(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="What to look at" onKeyDown={move}>
      {tabs.map((name) => (
        <button
          type="button"
          key={name}
          id={`tab-${name}`}
          role="tab"
          aria-selected={tab.value === name}
          aria-controls="panel"
          tabIndex={tab.value === name ? 0 : -1}
          onClick={() => choose(name)}
        >
          {names[name]}
          {name === 'aside' && aside > 0 && <span class="count">{whole(aside)}</span>}
        </button>
      ))}
    </div>
  );
}
