/** What goes wrong with versions, each with a stable code, its cause and what to do. */

import { CodedProblem } from '../command/coded-problem.ts';

/** Every code, with the cause that docs/schema-versions.md gives for it. */
export const problems = {
  'no-project': 'There is no folder supabase/ here or above.',
  'no-target': 'What names the database cannot be used.',
  unreachable: 'The database does not answer, or refuses the login.',
  'no-models': 'There is no file in supabase/schemas/.',
  'model-fails': 'A file of supabase/schemas/ cannot be run.',
  'version-fails': 'A version cannot be run on the shadow database, where all of them are replayed.',
  'diff-fails': 'supabase db diff ended with an error.',
  'not-proven':
    'The statements do not lead from the migrations to the models, or not back; or they cannot be run.',
  'data-loss': 'A statement would lose data or rewrite a table.',
  'bad-rename': '--rename names something that was not dropped, or not added.',
  'no-version': 'There is no version of this number in supabase/migrations/.',
  'unknown-version': 'The history of the database knows versions that the folder does not have.',
  edited: 'The file of a version was edited after it was applied.',
  'out-of-order': "A version is older than one that was applied before it: two people's work crossed.",
  'already-exists': 'A version creates what the database has already.',
  'missing-object': 'A version changes something that the database does not have.',
  'rows-do-not-fit': 'Rows of the database do not fit what the statement asks for.',
  'would-not-come-back': 'What a way back drops could not come back with the version.',
  'kept-does-not-fit': 'What was kept of a version cannot come back whole.',
  'statement-fails': 'A statement of a version failed for another reason.',
  locked: 'Other sessions held their locks for longer than all attempts.',
  'connection-lost': 'The connection ended before the version was committed, or before that could be told.',
  'transaction-control': 'A version commits or rolls back by itself.',
  'alone-only': 'A version mixes a statement that cannot run in a transaction with others.',
  'other-database': 'A version or a model names another database, or makes, renames or drops one.',
  'unnamed-index': 'A version builds an index concurrently that has no name.',
  'no-way-back': 'A version that is to be taken back has no way back.',
  'no-key': 'Values would be lost from a table without a primary key, whose rows nothing else tells apart.',
  'value-held':
    'Rows hold an enum value that the older type does not have, and their column can have no other instead.',
  'unsafe-way-back': 'The way back would drop something that was not moved aside.',
  'has-versions': 'The project or the database has versions already.',
  'reset-refused': 'Reset is for the embedded database and for loopback addresses only.',
  'wrong-name': "The name that was typed is not the database's.",
  'changed-meanwhile': 'Somebody else changed the history at the same time.',
} as const;

export type ProblemCode = keyof typeof problems;

/** A refusal or failure that explains itself. */
export class Problem extends CodedProblem<ProblemCode> {}

/** The SQLSTATE at the bottom of a problem. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof Problem) return sqlState(error.cause);
  return (error as { code?: string } | undefined)?.code;
}

/** What is refused before anything is touched ends with the exit code of wrong usage; the rest has failed. */
export const refusals = new Set<ProblemCode>([
  'no-project',
  'no-target',
  'no-models',
  'data-loss',
  'bad-rename',
  'no-version',
  'has-versions',
  'reset-refused',
  'wrong-name',
]);
