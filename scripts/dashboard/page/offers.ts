/** What can be done now, and why the rest cannot: the database decides, this only says it beforehand. */
import { drive, isDriving } from './drive.ts';
import { plan, progress, type Role, role, trouble } from './state.ts';

export type ActionName =
  | 'start'
  | 'pause'
  | 'resume'
  | 'cancel'
  | 'retry'
  | 'rollback_one'
  | 'rollback_all'
  | 'fix'
  | 'schedule'
  | 'unschedule'
  | 'finalize';

/** Who may: the same ranks as in the edge functions. */
const least: Record<ActionName, Role> = {
  start: 'operator',
  pause: 'operator',
  resume: 'operator',
  cancel: 'operator',
  retry: 'operator',
  rollback_one: 'operator',
  rollback_all: 'key',
  fix: 'key',
  schedule: 'operator',
  unschedule: 'operator',
  finalize: 'key',
};

/** With these nothing that is asked for would be done. */
const closing = new Set(['offline', 'engine_newer', 'wrong_version', 'unauthorized', 'forbidden']);

const ranks: readonly Role[] = ['viewer', 'operator', 'key'];

const roleNeeded: Record<Role, string> = {
  viewer: '',
  operator: 'You are a viewer. An operator may do this: imago_role in app_metadata of the user.',
  key: 'This needs the secret key: run npx --no imago dashboard (or npm run dashboard) on your own machine.',
};

/** Why not; undefined where it can be done. */
export function whyNot(action: ActionName): string | undefined {
  if (ranks.indexOf(role.value) < ranks.indexOf(least[action])) return roleNeeded[least[action]];
  if (trouble.value && closing.has(trouble.value.code))
    return 'Nothing can be done from here now: see above.';
  const now = progress.value;
  if (!plan.value?.source_exists || !now) return 'The tables of this plan are not in this database.';
  return reasons[action](now.state, now);
}

type Now = NonNullable<typeof progress.value>;

const unfinished = new Set(['pending', 'running', 'paused']);

function closed({ phase }: Now): string | undefined {
  return phase === 'finalized' || phase === 'cleaned up' ? 'The plan is finalized.' : undefined;
}

const reasons: Record<ActionName, (state: string, now: Now) => string | undefined> = {
  start: (state, now) => {
    if (isDriving.value) return 'This page is at work on it.';
    if (drive.value) return `This page is at work on ${drive.value.plan}, and does one plan at a time.`;
    if (state === 'paused') return 'The run is paused: Resume goes on.';
    if (now.direction === 'rollback' && unfinished.has(state)) {
      return role.value === 'key' ? undefined : roleNeeded.key;
    }
    if (state === 'failed') return 'The run was stopped: fix the cause, then Retry.';
    if (state === 'succeeded' && now.direction === 'forward' && now.pending + now.outside === 0)
      return closed(now) ?? 'Nothing is pending.';
    return closed(now) ?? (now.phase === 'finalize' ? 'It is being finalized.' : undefined);
  },
  pause: (state) => (state === 'running' || state === 'pending' ? undefined : 'No run is running.'),
  resume: (state) => (state === 'paused' ? undefined : 'No run is paused.'),
  cancel: (state) => (unfinished.has(state) ? undefined : 'No run is under way.'),
  retry: (state, now) =>
    state === 'failed' || (now.failed > 0 && !unfinished.has(state))
      ? closed(now)
      : 'Nobody is set aside, and no run was stopped.',
  rollback_one: (_, now) => closed(now) ?? (now.migrated > 0 ? undefined : 'Nothing was moved.'),
  rollback_all: (state, now) => {
    if (now.finalize?.closed) return 'The way back is closed: finalize has begun.';
    if (now.direction === 'rollback' && unfinished.has(state))
      return 'It is being taken back: Start goes on.';
    return closed(now) ?? (now.migrated > 0 || now.conflicts > 0 ? undefined : 'Nothing was moved.');
  },
  fix: (_, now) => closed(now),
  schedule: (_, now) => closed(now),
  unschedule: (_, now) => (now.scheduled ? undefined : 'It is not scheduled.'),
  finalize: (state, now) => closed(now) ?? (unfinished.has(state) ? 'A run is under way.' : undefined),
};
