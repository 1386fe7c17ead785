/** Asks before something is changed that is not the embedded playground. */
import { ask, expectSomebody } from '../command/ask.ts';
import type { Terminal } from '../command/terminal.ts';
import type { Options } from './options.ts';

/** One sentence for each action that changes something. */
function question(options: Options): string {
  switch (options.action) {
    case 'rollback':
      return `Take back the whole migration "${options.plan}"${options.force ? ', also where people changed values since (--force)' : ''}?`;
    case 'rollback-user':
      return `Take back user ${options.user}${options.force ? ', also over later changes (--force)' : ''}?`;
    case 'pause':
    case 'cancel':
      return `${options.action === 'pause' ? 'Pause' : 'Cancel'} the run of "${options.plan}"?`;
    case 'schedule':
      return options.thenFinalize
        ? `Have pg_cron finalize the migration "${options.plan}"? It cannot be rolled back afterwards.`
        : `Have pg_cron run the migration "${options.plan}"?`;
    case 'unschedule':
      return `Take the job of "${options.plan}" away from pg_cron?`;
    case 'throttle':
      return `Change the limits of "${options.plan}"?`;
    default:
      return `Run the migration "${options.plan}"${first(options)}${options.backup ? '' : ' WITHOUT an undo journal (no rollback)'}?`;
  }
}

function first({ cohort }: Options): string {
  if (!cohort) return '';
  return ` for ${[
    ...(cohort.percent === undefined ? [] : [`${cohort.percent} %`]),
    ...(cohort.keys ? [`${cohort.keys.length} by key`] : []),
    ...(cohort.names ?? []),
  ].join(', ')}`;
}

/** True when the action may go on. Throws a UsageError when nobody is there to answer. */
export async function confirmed(options: Options, terminal: Terminal, signal: AbortSignal): Promise<boolean> {
  if (options.yes) return true;
  expectSomebody('This changes a project that is not the embedded one');
  return await ask(question(options), terminal, signal);
}
