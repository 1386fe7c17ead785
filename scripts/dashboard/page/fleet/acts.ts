/** What can be done about a rollout, what each will do, and why not. The control database decides; this only says it beforehand. */
import { counted, whole } from '../../../command/figures.ts';
import type { FleetProgress } from '../../../fleet/progress.ts';
import { type FleetChanged, type FleetWish, fleetChanged } from '../../fleet-answers.ts';
import { ask } from '../connection.ts';
import { chooseRollout, fleetNotice, fleetTrouble, lookAtFleet, seen } from './state.ts';

export type FleetAction = FleetWish['action'];

/** What somebody has filled in. */
export interface Filled {
  /** Of retry: this one; empty: all. */
  member: string;
  stopPercent: number;
  force: boolean;
  confirm: string;
}

interface FleetAct {
  title: string;
  /** What it will do, and what not; a paragraph each. */
  says: (now: FleetProgress, filled: Filled) => string[];
  button: string;
  isDanger?: boolean;
  /** Why it cannot be done now; undefined where it can. */
  whyNot: (now: FleetProgress) => string | undefined;
  wish: (now: FleetProgress, filled: Filled) => FleetWish;
  done: (changed: FleetChanged, filled: Filled) => string;
}

const open = ['running', 'paused', 'stopped'];
const troubled = ({ members }: FleetProgress): number => members.failed + members.skipped;
export const isOverBudget = ({ state, code }: FleetProgress): boolean =>
  state === 'stopped' && code === 'budget';
const isAtGate = ({ state, code }: FleetProgress): boolean => state === 'stopped' && code === 'gate';

function later({ rollout, plan }: FleetProgress): string | undefined {
  const next = seen.value?.rollouts.find((one) => one.rollout > rollout && one.plan === plan);
  return next && `A later rollout of its plan was begun: ${next.rollout}.`;
}

export const fleetActs: Record<FleetAction, FleetAct> = {
  pause: {
    title: 'Pause',
    says: () => [
      'The batches that run end, and no other begins, at any worker. Nothing is lost; Resume goes on.',
    ],
    button: 'Pause',
    whyNot: ({ state }) => (state === 'running' ? undefined : 'It is not running.'),
    wish: ({ rollout }) => ({ action: 'pause', rollout }),
    done: () => 'Paused. Nothing is lost; Resume goes on.',
  },
  resume: {
    title: 'Resume',
    says: (now, { stopPercent }) => {
      if (isAtGate(now))
        return [
          `It was stopped at its gate (${now.reason}). It goes on with the next wave, without the members that failed: they stay as they are.`,
          'To have them first, correct the cause and Retry instead.',
        ];
      if (isOverBudget(now))
        return [
          `It was stopped by its budget (${now.reason}). It goes on until more than ${stopPercent} % of all members have failed.`,
        ];
      return ['Workers go on where it was paused.'];
    },
    button: 'Resume',
    whyNot: ({ state }) =>
      state === 'paused' || state === 'stopped' ? undefined : 'It is not paused, and was not stopped.',
    wish: (now, { stopPercent }) => ({
      action: 'resume',
      rollout: now.rollout,
      ...(isAtGate(now) && { despite_failures: true }),
      ...(isOverBudget(now) && { stop_percent: stopPercent }),
    }),
    done: () => 'Going on.',
  },
  retry: {
    title: 'Retry',
    says: (now, { member }) => [
      member === ''
        ? `${counted(troubled(now), 'member')} that failed or were left alone: once more. What was set aside in them is tried again, too.`
        : `${member} once more, and what was set aside in it.`,
      'Correct the cause first, or they fail again. A rollout that was stopped goes on.',
    ],
    button: 'Retry',
    whyNot: (now) => {
      if (now.state === 'cancelled') return 'It was cancelled.';
      if (troubled(now) === 0) return 'No member has failed or was left alone.';
      return open.includes(now.state) ? undefined : later(now);
    },
    wish: ({ rollout }, { member }) => ({ action: 'retry', rollout, ...(member !== '' && { member }) }),
    done: ({ members }) => `${counted(members, 'member')} once more.`,
  },
  cancel: {
    title: 'Cancel the rollout',
    says: ({ members }) => [
      `It ends here for good: the batches that run end, and ${whole(members.pending + members.waiting + members.working)} of ${counted(members.all, 'member')} stay where they are, moved in part or not at all.`,
      'What was moved stays moved, and can still be rolled back. Another rollout of the plan goes on from there.',
    ],
    button: 'Cancel the rollout',
    isDanger: true,
    whyNot: ({ state }) => (open.includes(state) ? undefined : 'It has ended.'),
    wish: ({ rollout }) => ({ action: 'cancel', rollout }),
    done: () => 'Cancelled. Members stay where they are.',
  },
  rollback: {
    title: 'Roll back',
    says: ({ plan, members, waves, kind, state }) => [
      `Begins a rollout that takes ${plan} back in ${counted(members.all, 'member')}, in the same ${waves.length > 1 ? 'waves' : 'order'}: each entity whole or not at all.${
        kind === 'migrate' && open.includes(state) ? ' This one ends.' : ''
      }`,
      'What people changed since is never overwritten unasked: it stays, and its member counts as failed.',
      'Workers do it, as they do the way forward.',
    ],
    button: 'Roll back',
    isDanger: true,
    whyNot: (now) => {
      if (now.kind === 'push') return 'There is no way back from a push.';
      if (now.state === 'running') return 'It is running: pause it first.';
      if (now.kind === 'rollback' && open.includes(now.state))
        return 'It is a rollback already: Resume goes on.';
      return later(now);
    },
    wish: ({ rollout }, { confirm, force }) => ({
      action: 'rollback',
      rollout,
      confirm,
      ...(force && { force }),
    }),
    done: ({ rollout }) => `Rollout ${rollout} takes it back.`,
  },
};

/** Why an action cannot be done now, also where what is shown is old. */
export function whyNotNow(action: FleetAction, now: FleetProgress): string | undefined {
  return fleetTrouble.value ? 'Nothing can be done from here now: see above.' : fleetActs[action].whyNot(now);
}

/** Does it, and shows what came of it. */
export async function performInFleet(action: FleetAction, now: FleetProgress, filled: Filled): Promise<void> {
  const { wish, done } = fleetActs[action];
  const changed = await ask('fleet', { body: wish(now, filled) }, fleetChanged);
  if (changed.rollout === now.rollout) lookAtFleet();
  else chooseRollout(changed.rollout);
  fleetNotice.value = { kind: 'told', text: done(changed, filled) };
}
