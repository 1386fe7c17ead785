/** What each action does: said before, then done. */

import { rollbackUserAnswer, transitionAnswer } from '../../../functions/_shared/answers.ts';
import { finalizeAnswer } from '../../../functions/_shared/finalizing.ts';
import { scheduleAnswer, unscheduleAnswer } from '../../../functions/_shared/scheduling.ts';
import { breakdown, countedEntities, whole } from '../../command/figures.ts';
import { fix, fixes } from './checking.ts';
import { ask } from './connection.ts';
import { begin, letGo, notice } from './drive.ts';
import { lookAtFinalize } from './ending.ts';
import type { ActionName } from './offers.ts';
import { look, progress } from './state.ts';

/** What somebody has filled in. */
export interface Filled {
  callers: number;
  force: boolean;
  entity: string;
  /** Of several; 0: the one that knows the key. */
  stage: number;
  seconds: number;
}

export interface Act {
  title: string;
  /** What it will do, and what not; a paragraph each. */
  says: (plan: string) => string[];
  /** What is asked for. */
  fields: readonly (keyof Filled)[];
  /** The name of the plan has to be typed. */
  typed?: boolean;
  button: string;
  isDanger?: boolean;
  act: (plan: string, filled: Filled) => Promise<void>;
}

const words = () => progress.value ?? { entity_singular: 'entity', entity_plural: 'entities' };
const isBack = (): boolean =>
  progress.value?.direction === 'rollback' && ['pending', 'running', 'paused'].includes(progress.value.state);

async function transition(
  plan: string,
  action: 'pause' | 'resume' | 'cancel' | 'retry',
  done: string,
): Promise<void> {
  await ask('migrate', { body: { plan, action } }, transitionAnswer);
  notice.value = { kind: 'told', text: done };
}

export const acts: Record<ActionName, Act> = {
  start: {
    title: 'Start, or go on',
    says: () =>
      isBack()
        ? [
            `The rollback goes on: the ${words().entity_plural} that are still migrated go back, each whole or not at all.`,
          ]
        : [
            `Moves ${words().entity_plural} in batches, beside your app: each batch is one short transaction, and what it writes is kept in the journal, so that all of it can go back.`,
            'A plan that is not prepared is prepared first: only additions, each under a short lock. A look before (Rehearsal) takes no locks at all.',
            'This page does the work while it is open. Pause stops it for everybody; closing the page only stops this page.',
          ],
    fields: ['callers'],
    button: 'Start',
    act: async (plan, { callers }) => begin({ plan, direction: isBack() ? 'rollback' : 'forward', callers }),
  },
  pause: {
    title: 'Pause',
    says: () => [
      'The run rests once the batches in flight have ended, no matter who works on it. Nothing is lost; Resume goes on.',
    ],
    fields: [],
    button: 'Pause',
    act: async (plan) => await transition(plan, 'pause', 'Paused. Nothing is lost; Resume goes on.'),
  },
  resume: {
    title: 'Resume',
    says: () => ['Ends the rest, and this page works on.'],
    fields: ['callers'],
    button: 'Resume',
    act: async (plan, { callers }) => {
      await transition(plan, 'resume', 'Going on.');
      const isRollback = progress.value?.direction === 'rollback';
      begin({ plan, direction: isRollback ? 'rollback' : 'forward', callers });
    },
  },
  cancel: {
    title: 'Cancel the run',
    says: () => [
      'The run ends where it is, for good. What was moved stays moved and can still be rolled back; a new start opens a new run.',
    ],
    fields: [],
    button: 'Cancel the run',
    isDanger: true,
    act: async (plan) => {
      await transition(plan, 'cancel', 'The run is cancelled. What was moved stays.');
      letGo();
    },
  },
  retry: {
    title: 'Retry',
    says: () => [
      `Forgets that ${words().entity_plural} failed, and tries them again. Fix the cause first, or they fail again. What is held stays held.`,
    ],
    fields: ['callers'],
    button: 'Retry',
    act: async (plan, { callers }) => {
      await transition(plan, 'retry', 'Trying again.');
      begin({ plan, direction: progress.value?.direction === 'rollback' ? 'rollback' : 'forward', callers });
    },
  },
  rollback_one: {
    title: 'Roll back one',
    says: () => [
      `One ${words().entity_singular} goes back to what it was before, whole or not at all, and is then held: no run moves it again unless it is asked for by name.`,
      'Where somebody has changed what Imago wrote, it stays as it is and you are told why. Force restores over such changes, never over references.',
    ],
    fields: ['entity', 'stage', 'force'],
    button: 'Roll back',
    act: async (plan, { entity, stage, force }) => {
      const body = { plan, entity, ...(stage > 0 && { stage }), ...(force && { force }) };
      const answer = await ask('rollback', { body }, rollbackUserAnswer);
      const { rolled_back, restored, removed, conflicts } = answer;
      const rows = [breakdown(restored), breakdown(removed) && `removed ${breakdown(removed)}`]
        .filter(Boolean)
        .join('; ');
      const why = conflicts.map(({ relation, reason }) => `${relation}: ${reason}`).join('; ');
      notice.value = rolled_back
        ? { kind: 'good', text: `${entity} is back, and held.`, hint: rows && `Rows: ${rows}.` }
        : conflicts.length > 0
          ? { kind: 'bad', text: `${entity} stays as it is.`, hint: why }
          : { kind: 'told', text: `Nothing was written for ${entity}: there is nothing to take back.` };
    },
  },
  rollback_all: {
    title: 'Roll back all',
    says: (plan) => [
      `All ${whole(progress.value?.migrated ?? 0)} ${words().entity_plural} that ${plan} has moved go back, in batches, each whole or not at all. A run that is under way ends.`,
      'What people changed since is never overwritten unasked: those stay, and are listed under Set aside. Added tables and columns stay until clean-up.',
      ...((progress.value?.conflicts ?? 0) > 0
        ? [
            `${countedEntities(progress.value?.conflicts ?? 0, words())} in conflict: without force they stay again.`,
          ]
        : []),
    ],
    fields: ['callers', 'force'],
    typed: true,
    button: 'Roll back all',
    isDanger: true,
    act: async (plan, { callers, force }) => {
      letGo();
      begin({ plan, direction: 'rollback', callers, force });
    },
  },
  fix: {
    title: 'Fix what the checks found',
    says: () => [
      ...(fixes.value.length > 0
        ? fixes.value
        : ['Nothing of it can be fixed by itself: each check says what to do.']),
      'All of it goes through the journal: a rollback takes the fixes back, too.',
    ],
    fields: [],
    button: 'Fix',
    act: async () => await fix(),
  },
  schedule: {
    title: 'Schedule',
    says: () => [
      'pg_cron drives the run inside the database from now on, without this page. The job goes away by itself when the run ends.',
      'It drives what is unfinished, forward or back, or a new run where nothing is.',
    ],
    fields: ['seconds'],
    button: 'Schedule',
    act: async (plan, { seconds }) => {
      const body = { plan, action: 'schedule', every_seconds: seconds };
      const { scheduled } = await ask('migrate', { body }, scheduleAnswer);
      notice.value = {
        kind: 'good',
        text: `pg_cron works on it every ${scheduled}. You may close this page.`,
      };
    },
  },
  unschedule: {
    title: 'End the schedule',
    says: () => ['Removes the job of pg_cron. The run stays as it is.'],
    fields: [],
    button: 'End the schedule',
    act: async (plan) => {
      await ask('migrate', { body: { plan, action: 'unschedule' } }, unscheduleAnswer);
      notice.value = { kind: 'told', text: 'pg_cron does not work on it any more.' };
    },
  },
  finalize: {
    title: 'The next step of finalize',
    says: () => [
      'Does one step: the first calls go through all checks and refuse where something is pending, failed, held or wrong.',
      'From the step that is marked on, nothing can be rolled back any more. There is no way back from that.',
    ],
    fields: [],
    typed: true,
    button: 'Do the step',
    isDanger: true,
    act: async (plan) => {
      const body = { plan, action: 'finalize', confirm: plan };
      const { state, step, percentage, warnings } = await ask('migrate', { body }, finalizeAnswer);
      const text =
        state === 'checking'
          ? `Checking: ${percentage ?? 0} %. Call again.`
          : state === 'finalized'
            ? 'Finalized.'
            : `${state === 'finalizing' ? 'Done' : state}: ${step ?? 'the checks'}.`;
      notice.value = { kind: state === 'finalized' ? 'good' : 'told', text, hint: warnings.join(' ') };
      await lookAtFinalize();
    },
  },
};

/** Does it, and shows what came of it. */
export async function perform(name: ActionName, plan: string, filled: Filled): Promise<void> {
  await acts[name].act(plan, filled);
  look();
}
