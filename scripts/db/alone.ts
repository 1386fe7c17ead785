/**
 * Statements that PostgreSQL runs outside of transactions only, so that what they have done and the history are two
 * commits. Interrupted between or within them, they are recognised by what is in the database.
 */
import type { Sql } from 'postgres';
import { relationName, stringsIn, treeOf } from '../sql/tree.ts';
import { qualified, readable } from './names.ts';
import { runStatements, type Script } from './running.ts';

/** What one of these statements does to an index. */
type Aim =
  | { kind: 'create'; index: string[]; tolerant: boolean }
  | { kind: 'drop'; index: string[]; tolerant: boolean }
  | { kind: 'rebuild'; of: string[] };

/** An index as it is in the database. */
export interface IndexThere {
  valid: boolean;
  definition: string;
}

function aimOf({ statements: [statement] }: Script): Aim | undefined {
  const { IndexStmt: made, DropStmt: dropped, ReindexStmt: rebuilt } = statement?.tree ?? {};
  if (made?.concurrent && made.idxname !== undefined) {
    // An index is in the schema of its table.
    const index = [...relationName(made.relation).slice(0, -1), made.idxname];
    return { kind: 'create', index, tolerant: made.if_not_exists === true };
  }
  if (dropped?.concurrent) {
    const [first] = dropped.objects ?? [];
    const index = stringsIn(treeOf(first).List?.items);
    return { kind: 'drop', index, tolerant: dropped.missing_ok === true };
  }
  return rebuilt?.relation ? { kind: 'rebuild', of: relationName(rebuilt.relation) } : undefined;
}

/** Whether it builds an index that has no name: after an interruption nobody could tell it from others. */
export function isUnnamed({ statements: [statement] }: Script): boolean {
  const { IndexStmt: made } = statement?.tree ?? {};
  return made?.concurrent === true && made.idxname === undefined;
}

export async function findIndex(sql: Sql, index: readonly string[]): Promise<IndexThere | undefined> {
  const [there] = await sql<IndexThere[]>`
    select i.indisvalid as valid, pg_get_indexdef(i.indexrelid) as definition
    from pg_index i where i.indexrelid = to_regclass(${qualified(...index)})`;
  return there;
}

/** How far an interrupted script has come that is not in the history; undefined where it has not begun, or cannot be told. */
export async function halfWay(sql: Sql, script: Script): Promise<string | undefined> {
  if (script.inTransaction) return undefined;
  const aim = aimOf(script);
  if (aim === undefined || aim.kind === 'rebuild') return undefined;
  const there = await findIndex(sql, aim.index);
  const name = `index ${readable(...aim.index)}`;
  if (aim.kind === 'create') {
    if (!there) return undefined;
    return there.valid ? `${name} is built` : `${name} is built in part and not valid`;
  }
  if (!there) return `${name} is dropped`;
  return there.valid ? undefined : `${name} is dropped in part and not valid`;
}

/**
 * Runs such a script, whatever an interrupted one has left. `isSame` tells whether an index that is there is the one
 * that is wanted. Gives what was found done already.
 */
export async function runAlone(
  sql: Sql,
  script: Script,
  lockTimeout: number,
  isSame: (index: readonly string[], there: IndexThere) => Promise<boolean>,
): Promise<string | undefined> {
  const setTimeout = (ms: number) => sql`select set_config('lock_timeout', ${String(ms)}, false)`;
  await setTimeout(lockTimeout);
  const aim = aimOf(script);
  if (aim?.kind === 'create') {
    const there = await findIndex(sql, aim.index);
    // What an interrupted build leaves has the name that is wanted, and is good for nothing.
    if (there && !there.valid) await sql.unsafe(`drop index concurrently ${qualified(...aim.index)}`);
    if (there?.valid && !aim.tolerant && (await isSame(aim.index, there)))
      return `Index ${readable(...aim.index)} was built already.`;
  }
  if (aim?.kind === 'drop' && !aim.tolerant && !(await findIndex(sql, aim.index)))
    return `Index ${readable(...aim.index)} was dropped already.`;
  if (aim?.kind === 'rebuild') await dropLeftovers(sql, aim.of);
  // It waits for open transactions and blocks nobody meanwhile; given up, all of its work would be lost.
  if (aim) await setTimeout(0);
  await runStatements(sql, script);
  return undefined;
}

/** The copies that an interrupted `reindex concurrently` leaves beside the indexes of a table. */
async function dropLeftovers(sql: Sql, of: readonly string[]): Promise<void> {
  const name = qualified(...of);
  const left = await sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
    where not i.indisvalid and c.relname ~ '_cc(new|old)\d*$'
      and i.indrelid in (
        select to_regclass(${name}) union select x.indrelid from pg_index x where x.indexrelid = to_regclass(${name}))`;
  for (const { name } of left) await sql.unsafe(`drop index concurrently ${name}`);
}
