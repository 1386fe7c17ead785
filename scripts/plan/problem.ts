/** What goes wrong with plans of a project, each with a stable code, its cause and the exit code. */

import { CodedProblem } from '../command/coded-problem.ts';

/** Every code, with the cause that docs/write-a-plan.md gives for it. */
export const problems = {
  'no-project': { exit: 2, cause: 'There is no `supabase/config.toml` here or above.' },
  'own-repository': { exit: 2, cause: 'The folder is that of Imago itself: its plans are in `sql/plans/`.' },
  'bad-name': { exit: 2, cause: 'A plan, or a column, cannot have this name.' },
  'name-taken': { exit: 2, cause: 'There is a plan, a schema or a column of this name already.' },
  'no-table': { exit: 2, cause: 'The table is not there.' },
  'unfit-table': {
    exit: 2,
    cause:
      'No plan can walk it: a view, a table that you may not read, no primary key. Or a kind would change a table of somebody else, or cannot repoint what refers to it, or carry over what stands on it.',
  },
  'bad-key': {
    exit: 2,
    cause: 'No plan, or none of this kind, can walk by it: not unique, of another type, several columns.',
  },
  'no-column': { exit: 2, cause: 'The table has no such column, or it is a key or generated.' },
  'bad-value': {
    exit: 2,
    cause: 'An expression, type or list for `--kind` cannot be read, or does not fit the table.',
  },
  'no-such-plan': {
    exit: 2,
    cause:
      'There is no folder of this name in `supabase/imago/plans/`. Or, for `drop`, no plan, or it is taken out already.',
  },
  'folder-there': { exit: 2, cause: 'The plan that is to be dropped still has its folder.' },
  'comes-with-imago': { exit: 2, cause: 'A plan that comes with Imago is dropped with it only.' },
  'plan-in-use': {
    exit: 2,
    cause:
      'The plan that is to be dropped can be taken back, has a journal, or something of the app stands on it.',
  },
  'bad-plan': { exit: 2, cause: 'A file of the plan is missing, or stands where nothing is read.' },
  'bad-test': { exit: 2, cause: '`test/conformance.toml` or `test/rows.sql` cannot be read.' },
  'external-stage': {
    exit: 2,
    cause: 'A stage is done outside of the database, and the folder of the plan has no function for it.',
  },
  'not-writable': { exit: 2, cause: 'A file or folder of the project cannot be written.' },
  'migration-fails': {
    exit: 1,
    cause: 'A migration of the project cannot be run on the embedded PostgreSQL.',
  },
  'rows-fail': { exit: 1, cause: '`test/rows.sql` cannot make its rows.' },
  'plan-fails': { exit: 1, cause: 'The SQL of the plan cannot be run.' },
  'not-proven': {
    exit: 1,
    cause: 'The migrations would not lead to what the folder says, and build cannot write what would.',
  },
} as const;

export type ProblemCode = keyof typeof problems;

/** A refusal, or a failure, that explains itself. Nothing has been written. */
export class Problem extends CodedProblem<ProblemCode> {
  get exitCode(): number {
    return problems[this.code].exit;
  }
}
