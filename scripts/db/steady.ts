/** Whether a version writes the same each time that it is applied to the same rows. */
import type { TransactionSql } from 'postgres';
import { mayBringRows } from '../sql/kinds.ts';
import { stringsIn, type Tree, treeOf } from '../sql/tree.ts';
import type { Script } from './running.ts';

/** Not by the clock, by chance, by a sequence, or by code that cannot be looked into. */
export async function writesTheSame(tx: TransactionSql, { statements }: Script): Promise<boolean> {
  const trees = statements.filter(mayBringRows).map(({ tree }) => tree);
  if (trees.some((tree) => unreadable.some((kind) => kind in tree) || Object.keys(tree).length === 0))
    return false;
  const found = { functions: new Set<string>(), isUnsteady: false };
  for (const tree of trees) collect(tree, found);
  if (found.isUnsteady) return false;
  const unsteady = await tx`
    select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where p.proname = any (${[...found.functions]}::text[]) and case n.nspname
      when 'pg_catalog' then p.provolatile = 'v' or p.proname ~ '(^now|_timestamp|timeofday|^age|current_)'
      else p.provolatile <> 'i' end
    limit 1`;
  return unsteady.length === 0;
}

const unreadable = ['CallStmt', 'CopyStmt', 'DoStmt', 'ExecuteStmt'] as const satisfies (keyof Tree)[];

/** The functions that are called anywhere in a tree. */
function collect(node: unknown, found: { functions: Set<string>; isUnsteady: boolean }): void {
  if (Array.isArray(node)) {
    for (const part of node) collect(part, found);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  const { FuncCall: call } = treeOf(node as never);
  const name = call && stringsIn(call.funcname).at(-1);
  if (name) found.functions.add(name);
  // current_timestamp and its like.
  if ('SQLValueFunction' in node) found.isUnsteady = true;
  for (const part of Object.values(node)) collect(part, found);
}
