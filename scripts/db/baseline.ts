/** What a database has, written as the statements that make it: the baseline of a database, the models of versions. */
import type { Statement } from '../sql/statements.ts';
import { compareCatalogs, describeDifference, essential } from './catalog.ts';
import { diffKnown, type Known } from './diff.ts';
import { Problem } from './problem.ts';
import { describeFailure, explain } from './running.ts';
import type { Shadow } from './shadow.ts';
import { firstSteps, runWoven, stepsBetween, takeSteps } from './supplement.ts';

export interface Baseline {
  /** One text, run on an empty database. */
  text: string;
  hasFunctions: boolean;
  /** Objects that it does not make as they are. */
  missed: string[];
}

/** Makes on a shadow what a database has and the shadow has not, and writes down how. */
export async function writeBaseline(shadow: Shadow, database: Known): Promise<Baseline> {
  const { catalog } = database;
  const empty = await shadow.catalog();
  const first = await takeSteps(shadow.sql, firstSteps(empty, catalog));
  await shadow.rest();
  const diff = await diffKnown({ url: shadow.url, catalog: empty }, database);
  const statements = await runWoven(shadow.sql, diff, first.left, expectNotAllowed);
  const rest = await takeSteps(shadow.sql, stepsBetween(await shadow.catalog(), catalog));
  const all = [...first.taken, ...statements, ...rest.taken];
  return {
    text: all.map(({ text }) => `${text};`).join('\n\n'),
    hasFunctions: all.some(({ tree }) => tree.CreateFunctionStmt),
    missed: essential(compareCatalogs(catalog, await shadow.catalog())).map(describeDifference),
  };
}

/** What the role may not do is left out, as it could be replayed nowhere where versions are. */
function expectNotAllowed(error: unknown, statement: Statement): void {
  const INSUFFICIENT_PRIVILEGE = '42501';
  if ((error as { code?: string }).code === INSUFFICIENT_PRIVILEGE) return;
  throw new Problem(
    'not-proven',
    `What is there cannot be made on an empty database: ${describeFailure(explain(error, 'the baseline', statement))}`,
    'Versions are replayed on the embedded Supabase, and so the baseline has to be. Nothing was written.',
    { cause: error },
  );
}
