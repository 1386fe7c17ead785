/**
 * Statements that PostgreSQL runs outside of transactions only, so that what they have done and the history are two
 * commits. Interrupted between or within them, they are recognised by what is in the database.
 */
import type { Sql } from 'postgres';
import { runStatements, type Script } from './running.ts';

const identifier = '("(?:[^"]|"")+"|[\\w$]+)';
const qualifiedName = `${identifier}(?:\\s*\\.\\s*${identifier})?`;
const creates = new RegExp(
  `\\bcreate\\s+(?:unique\\s+)?index\\s+concurrently\\s+(if\\s+not\\s+exists\\s+)?(?!on\\s)${identifier}\\s+on\\s+(?:only\\s+)?${qualifiedName}`,
  'i',
);
const createsUnnamed = /\bcreate\s+(?:unique\s+)?index\s+concurrently\s+on\s/i;
const drops = new RegExp(`\\bdrop\\s+index\\s+concurrently\\s+(if\\s+exists\\s+)?${qualifiedName}`, 'i');
const rebuilds = new RegExp(
  `\\breindex\\s+(?:\\([^)]*\\)\\s*)?(index|table)\\s+concurrently\\s+${qualifiedName}`,
  'i',
);

/** What one of these statements does to an index. */
type Aim =
  | { kind: 'create'; index: string; tolerant: boolean }
  | { kind: 'drop'; index: string; tolerant: boolean }
  | { kind: 'rebuild'; of: string };

/** An index as it is in the database. */
export interface IndexThere {
  valid: boolean;
  definition: string;
}

function aimOf({ statements: [statement] }: Script): Aim | undefined {
  const text = statement?.text ?? '';
  const made = creates.exec(text);
  if (made) {
    const [, tolerant, name = '', first, second] = made;
    // An index is in the schema of its table.
    return {
      kind: 'create',
      index: second === undefined ? name : `${first}.${name}`,
      tolerant: tolerant !== undefined,
    };
  }
  const dropped = drops.exec(text);
  if (dropped)
    return { kind: 'drop', index: joined(dropped[2], dropped[3]), tolerant: dropped[1] !== undefined };
  const rebuilt = rebuilds.exec(text);
  return rebuilt ? { kind: 'rebuild', of: joined(rebuilt[2], rebuilt[3]) } : undefined;
}

function joined(first = '', second?: string): string {
  return second === undefined ? first : `${first}.${second}`;
}

/** Whether it builds an index that has no name: after an interruption nobody could tell it from others. */
export function isUnnamed({ inTransaction, statements: [statement] }: Script): boolean {
  return !inTransaction && createsUnnamed.test(statement?.text ?? '');
}

export async function findIndex(sql: Sql, index: string): Promise<IndexThere | undefined> {
  const [there] = await sql<IndexThere[]>`
    select i.indisvalid as valid, pg_get_indexdef(i.indexrelid) as definition
    from pg_index i where i.indexrelid = to_regclass(${index})`;
  return there;
}

/** How far an interrupted script has come that is not in the history; undefined where it has not begun, or cannot be told. */
export async function halfWay(sql: Sql, script: Script): Promise<string | undefined> {
  if (script.inTransaction) return undefined;
  const aim = aimOf(script);
  if (aim?.kind === 'create') {
    const there = await findIndex(sql, aim.index);
    if (!there) return undefined;
    return there.valid ? `index ${aim.index} is built` : `index ${aim.index} is built in part and not valid`;
  }
  if (aim?.kind !== 'drop') return undefined;
  const there = await findIndex(sql, aim.index);
  if (!there) return `index ${aim.index} is dropped`;
  return there.valid ? undefined : `index ${aim.index} is dropped in part and not valid`;
}

/**
 * Runs such a script, whatever an interrupted one has left. `isSame` tells whether an index that is there is the one
 * that is wanted. Gives what was found done already.
 */
export async function runAlone(
  sql: Sql,
  script: Script,
  lockTimeout: number,
  isSame: (index: string, there: IndexThere) => Promise<boolean>,
): Promise<string | undefined> {
  const setTimeout = (ms: number) => sql`select set_config('lock_timeout', ${String(ms)}, false)`;
  await setTimeout(lockTimeout);
  const aim = aimOf(script);
  if (aim?.kind === 'create') {
    const there = await findIndex(sql, aim.index);
    // What an interrupted build leaves has the name that is wanted, and is good for nothing.
    if (there && !there.valid) await sql.unsafe(`drop index concurrently ${aim.index}`);
    if (there?.valid && !aim.tolerant && (await isSame(aim.index, there)))
      return `Index ${aim.index} was built already.`;
  }
  if (aim?.kind === 'drop' && !aim.tolerant && !(await findIndex(sql, aim.index)))
    return `Index ${aim.index} was dropped already.`;
  if (aim?.kind === 'rebuild') await dropLeftovers(sql, aim.of);
  // It waits for open transactions and blocks nobody meanwhile; given up, all of its work would be lost.
  if (aim) await setTimeout(0);
  await runStatements(sql, script);
  return undefined;
}

/** The copies that an interrupted `reindex concurrently` leaves beside the indexes of a table. */
async function dropLeftovers(sql: Sql, of: string): Promise<void> {
  const left = await sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
    where not i.indisvalid and c.relname ~ '_cc(new|old)\d*$'
      and i.indrelid in (
        select to_regclass(${of}) union select x.indrelid from pg_index x where x.indexrelid = to_regclass(${of}))`;
  for (const { name } of left) await sql.unsafe(`drop index concurrently ${name}`);
}
