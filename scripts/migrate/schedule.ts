/** `schedule` and `unschedule`: pg_cron drives the run, inside the database. */
import { commandLine, planFlags, siblingName } from '../command/invocation.ts';
import { type Context, nextCommand } from './context.ts';
import type { Ending } from './ending.ts';

export async function schedule(context: Context): Promise<Ending> {
  const { caller, options, program, signal } = context;
  const { plan, every, thenFinalize, cohort } = options;
  const answer = await caller.call(
    'schedule_migration',
    {
      plan,
      ...(every !== undefined && { every }),
      ...(thenFinalize && { finalize: true }),
      ...(cohort && { cohort }),
    },
    signal,
  );
  const what = thenFinalize ? 'goes the steps of finalize' : `drives the ${work(answer.direction)}`;
  return {
    status: 'done',
    message: `pg_cron ${what} every ${answer.scheduled.replace(/^1 /, '')}, until nothing is left to do.`,
    next: [
      `See how far it is: ${nextCommand(context, '--stats-only')}`,
      `Take the job away: ${commandLine(siblingName(program, 'unschedule'), planFlags(options))}`,
    ],
    ...(answer.state && { state: answer.state }),
    schedule: answer,
  };
}

function work(direction: string | null | undefined): string {
  return direction === 'rollback' ? 'rollback' : 'migration';
}

export async function unschedule(context: Context): Promise<Ending> {
  const { caller, options, signal } = context;
  const { unscheduled } = await caller.call('unschedule_migration', { plan: options.plan }, signal);
  return {
    status: 'done',
    message: unscheduled
      ? 'The job is gone; the run stays as it is.'
      : 'There was no job. Nothing was changed.',
    next: unscheduled ? [`Go on: ${nextCommand(context)}`] : [],
  };
}
