/** Names that Imago needs in the database, and what of the project's own SQL has them already. */
import { madeAndGone, type Name } from '../sql/objects.ts';
import { type Statement, splitStatements } from '../sql/statements.ts';
import { stringsIn, treeOf } from '../sql/tree.ts';
import type { Part } from './parts.ts';
import { Problem } from './problem.ts';
import type { SqlFile } from './project.ts';

/** What the parts make outside of their own schemas, and these: `schema avatars`, `public.migrate_batch`. */
export function neededNames(parts: readonly Part[]): Set<string> {
  const names = parts.flatMap(({ text }) =>
    splitStatements(text).flatMap((statement) => [
      ...madeAndGone(statement).made.map(written),
      ...plansMade(statement).map((plan) => written([plan])),
    ]),
  );
  return new Set(names.filter((name) => name.startsWith('schema ') || name.startsWith('public.')));
}

/** Each plan has a schema of its name. */
function plansMade({ tree }: Statement): string[] {
  return (tree.SelectStmt?.targetList ?? []).flatMap((target) => {
    const { FuncCall: call } = treeOf(treeOf(target).ResTarget?.val);
    if (stringsIn(call?.funcname).join('.') !== 'imago.create_plan') return [];
    return treeOf(call?.args?.[0]).A_Const?.sval?.sval ?? [];
  });
}

/**
 * Refuses names that the project's SQL makes, and does not drop again. What PostgreSQL's parser does not understand is not
 * looked at: when the migrations are pushed, the database itself is asked.
 */
export function expectFree(needed: ReadonlySet<string>, files: readonly SqlFile[]): void {
  const taken = new Map<string, string>();
  for (const { file, text } of files) {
    for (const { made, gone } of splitStatements(text).map(madeAndGone)) {
      for (const name of gone) release(taken, name);
      for (const name of made.map(written)) if (needed.has(name)) taken.set(name, file);
    }
  }
  if (taken.size === 0) return;
  const list = [...taken].map(([name, file]) => `${name} (${file})`).join(', ');
  throw new Problem(
    'name-taken',
    `The project has names that Imago needs: ${list}.`,
    'Rename or drop them in a migration of yours first, or leave out the plan whose schema it is: --plans with others, or --plans none. Nothing has been changed.',
  );
}

/** A schema goes with all that is in it. */
function release(taken: Map<string, string>, [schema, name]: Name): void {
  taken.delete(written([schema, name]));
  if (name !== undefined) return;
  for (const other of taken.keys()) if (other.startsWith(`${schema}.`)) taken.delete(other);
}

function written([schema, name]: Name): string {
  return name === undefined ? `schema ${schema}` : `${schema}.${name}`;
}
