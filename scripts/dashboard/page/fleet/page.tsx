/** The fleet: its rollouts, and how far one of them is over all members. */
import { duration, whole } from '../../../command/figures.ts';
import type { FleetProgress } from '../../../fleet/progress.ts';
import { NoticeLine } from '../views/notice.tsx';
import { moment, sentence } from '../words.ts';
import { type FleetAction, fleetActs, whyNotNow } from './acts.ts';
import { FleetDialog, openFleetDialog } from './dialog.tsx';
import { Slowest, StateBar, Troubled, Waves, Workers } from './members.tsx';
import { chooseRollout, fleetNotice, fleetTrouble, progress, type Rollout, seen } from './state.ts';
import { nextStep, rolloutName, rolloutWords } from './words.ts';

export function FleetPage() {
  const rollouts = seen.value?.rollouts;
  if (!rollouts || rollouts.length === 0) {
    return (
      <main id="main" tabIndex={-1} class={rollouts ? 'empty' : ''}>
        <Met />
        {rollouts ? <NoRollout /> : !fleetTrouble.value && <Loading />}
      </main>
    );
  }
  return (
    <div class="columns">
      <RolloutList rollouts={rollouts} />
      <main id="main" tabIndex={-1}>
        <Met />
        {progress.value ? <Shown now={progress.value} /> : !fleetTrouble.value && <Loading />}
      </main>
      <FleetDialog />
    </div>
  );
}

const titles: Record<string, string> = {
  offline: 'Offline',
  FLEET: 'No fleet here yet',
  FL001: 'There is no such rollout',
  wrong_version: 'Page and fleet do not fit',
  unauthorized: 'Not let in',
};

/** What the last look met. Figures that were seen before stay, and are marked as old. */
function Met() {
  const met = fleetTrouble.value;
  if (!met) return null;
  return (
    <section class="met" role="alert">
      <h2>
        {titles[met.code] ?? (met.status === 503 ? 'The control database is away' : 'This could not be read')}
      </h2>
      <p>{met.message}</p>
      {met.hint && <p>{met.hint}</p>}
      {seen.value && (
        <p class="muted">What is shown below is from before. It is tried again every few seconds.</p>
      )}
    </section>
  );
}

function Loading() {
  return (
    <div class="loading" role="status">
      <p class="sr">Reading the fleet</p>
      <div class="bone wide" />
      <div class="bone" />
      <div class="bone tall" />
    </div>
  );
}

function NoRollout() {
  const members = seen.value?.members ?? 0;
  return (
    <>
      <h1>No rollout yet</h1>
      {members === 0 ? (
        <p>
          The fleet has no members, either. Add some:{' '}
          <code>npx --no imago fleet add NAME --database-url-env VARIABLE</code>, or{' '}
          <code>npx --no imago fleet import members.csv</code>.
        </p>
      ) : (
        <p>
          The fleet has {whole(members)} {members === 1 ? 'member' : 'members'}. See first what a rollout
          would meet: <code>npx --no imago fleet run avatars --dry-run</code>.
        </p>
      )}
      <p>
        Begin one in waves: <code>npx --no imago fleet run avatars --wave 10%,100%</code>. It appears here by
        itself.
      </p>
    </>
  );
}

/** States of rollouts in the colours of runs. */
const tones: Record<Rollout['state'], string> = {
  running: 'running',
  paused: 'paused',
  stopped: 'failed',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: '',
};

function RolloutList({ rollouts }: { rollouts: readonly Rollout[] }) {
  return (
    <nav class="plans" aria-label="Rollouts">
      <ul>
        {rollouts.map((one) => (
          <li key={one.rollout}>
            <button
              type="button"
              aria-current={one.rollout === progress.value?.rollout ? 'page' : undefined}
              onClick={() => chooseRollout(one.rollout)}
            >
              <span class="name">
                {one.rollout} · {rolloutName(one)}
              </span>
              <span class={`chip ${tones[one.state]}`}>{rolloutWords[one.state]}</span>
              <span class="about">{moment(one.begun_at)}</span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Shown({ now }: { now: FleetProgress }) {
  return (
    <>
      <div class="title">
        <h1>
          Rollout {now.rollout}: {rolloutName(now)}
        </h1>
        <span class={`chip ${tones[now.state]}`}>{rolloutWords[now.state]}</span>
      </div>
      <p class="muted subtitle">
        Begun {moment(now.begun_at)}
        {now.ended_at ? `, lasted ${duration(now.seconds * 1000)}` : `, ${duration(now.seconds * 1000)} ago`}
      </p>
      <section class="actions" aria-label="What to do">
        <Act name="pause" now={now} label="Pause …" />
        <Act name="resume" now={now} label="Resume …" />
        <Act name="retry" now={now} label="Retry …" />
        <Act name="cancel" now={now} label="Cancel …" />
        <Act name="rollback" now={now} label="Roll back …" />
      </section>
      <NoticeLine
        notice={fleetNotice}
        otherwise={
          <p class={now.state === 'stopped' || now.state === 'failed' ? 'bad' : 'muted'}>
            {now.reason && `${sentence(now.reason)} `}
            {nextStep(now)}
          </p>
        }
      />
      <HowFar now={now} />
      <Waves now={now} />
      <Troubled now={now} />
      <Slowest now={now} />
      <Workers now={now} />
    </>
  );
}

function Act({ name, now, label }: { name: FleetAction; now: FleetProgress; label: string }) {
  const reason = whyNotNow(name, now);
  const id = `why-fleet-${name}`;
  return (
    <>
      <button
        type="button"
        class={fleetActs[name].isDanger ? 'danger' : ''}
        aria-disabled={reason !== undefined}
        aria-describedby={reason === undefined ? undefined : id}
        title={reason}
        data-action={name}
        onClick={() => reason === undefined && openFleetDialog(name, now)}
      >
        {label}
      </button>
      {reason !== undefined && (
        <span class="sr" id={id}>
          {reason}
        </span>
      )}
    </>
  );
}

function HowFar({ now }: { now: FleetProgress }) {
  const { members, entities, kind } = now;
  const about = entities.is_estimate ? '≈ ' : '';
  const figures: [name: string, value: string][] = [
    ['Members a minute', members.per_minute > 0 ? whole(members.per_minute) : '–'],
    ...(kind === 'push'
      ? []
      : ([
          [kind === 'rollback' ? 'Taken back' : 'Entities moved', whole(entities.moved)],
          ['Remaining', entities.remaining == null ? '–' : `${about}${whole(entities.remaining)}`],
          ['Entities a minute', entities.per_minute > 0 ? whole(entities.per_minute) : '–'],
          ['Left', entities.eta_seconds ? `≈ ${duration(entities.eta_seconds * 1000)}` : '–'],
        ] satisfies [string, string][])),
  ];
  return (
    <section class="stack" aria-label="How far it is">
      <div class="far">
        <strong class="percent">
          {whole(members.succeeded)} of {whole(members.all)}
        </strong>
        <span class="muted">members succeeded</span>
      </div>
      <StateBar members={members} />
      <dl class="figures fleet">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
