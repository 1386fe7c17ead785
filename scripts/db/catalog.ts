/** What a database consists of, object by object, and in what two databases differ. */
import { readFile } from 'node:fs/promises';
import type { Sql, TransactionSql } from 'postgres';

/** One thing that is said of an object: its definition, a comment, an option, a right. */
export interface Aspect {
  value: string;
  /** The statement that makes it so, and the one that makes it as if nothing had been said; null where there is none. */
  put: string | null;
  take: string | null;
}

export interface CatalogObject {
  /** The object that it is a part of, and comes and goes with. */
  owner: string | null;
  aspects: Map<string, Aspect>;
}

/** Objects by `kind name`. */
export type Catalog = Map<string, CatalogObject>;

/** One object that two catalogs do not have alike. */
export interface Difference {
  /** As seen from the first catalog to the second. */
  change: 'added' | 'removed' | 'changed';
  /** Kind and name. */
  object: string;
  /** What is another one in a changed object: its comment, an option. */
  aspects: string[];
  owner: string | null;
}

const read = (name: string) => readFile(new URL(`./catalog/${name}.sql`, import.meta.url), 'utf8');
const [shared, tables, others, database, rights] = await Promise.all(
  ['shared', 'tables', 'others', 'database', 'rights'].map(read),
);
const queryOf = (...parts: (string | undefined)[]): string =>
  `${shared},\nobjects as (\n${parts.join('\nunion all\n')})\n${rights}`;
const everything = queryOf(tables, others, database);
const itself = queryOf(database);

/** The object that is the database itself, which has another name in each place. */
export const DATABASE = 'database itself';

/**
 * Without the database's settings of an app's own that the other catalog does not have: names like app.service_key, of which only
 * those who set them know whether they are secret, and the same everywhere. Gives what was left out, too.
 */
export function withoutOwnSettings(catalog: Catalog, other: Catalog): { catalog: Catalog; left: string[] } {
  const own = catalog.get(DATABASE);
  const left = [...(own?.aspects.keys() ?? [])].filter(
    (aspect) => isOwnSetting(aspect) && !other.get(DATABASE)?.aspects.has(aspect),
  );
  if (!own || left.length === 0) return { catalog, left };
  const aspects = new Map([...own.aspects].filter(([aspect]) => !left.includes(aspect)));
  return { catalog: new Map([...catalog, [DATABASE, { ...own, aspects }]]), left };
}

/** Those of PostgreSQL have no dot, and these belong to what comes with Supabase. */
function isOwnSetting(aspect: string): boolean {
  return /^setting (?!(pgrst|plpgsql|auto_explain|pg_stat_statements|pgaudit|cron|pg_net)\.)[^ ]+\./.test(
    aspect,
  );
}

/** Reads a database's catalog. */
export async function readCatalog(sql: Sql): Promise<Catalog> {
  return await sql.begin('isolation level repeatable read read only', (tx) => catalogIn(tx));
}

/** Reads what is said of nothing but the database itself. */
export async function readDatabase(sql: Sql): Promise<Catalog> {
  return await sql.begin('isolation level repeatable read read only', (tx) => catalogIn(tx, itself));
}

/** The same as `readCatalog` within a transaction. With an empty search path every name in it is a full one. */
export async function catalogIn(tx: TransactionSql, query = everything): Promise<Catalog> {
  const [{ path }] = await tx<[{ path: string }]>`select current_setting('search_path') as path`;
  await tx`select set_config('search_path', '', true)`;
  const rows =
    await tx.unsafe<(Aspect & { kind: string; name: string; owner: string | null; aspect: string })[]>(query);
  await tx`select set_config('search_path', ${path}, true)`;
  const catalog: Catalog = new Map();
  for (const { kind, name, owner, aspect, value, put, take } of rows) {
    const object = catalog.get(`${kind} ${name}`) ?? { owner, aspects: new Map<string, Aspect>() };
    object.aspects.set(aspect, { value, put, take });
    catalog.set(`${kind} ${name}`, object);
  }
  return catalog;
}

/** What changes from one catalog to another, in the order of kinds and names. */
export function compareCatalogs(from: Catalog, to: Catalog): Difference[] {
  const objects = [...new Set([...from.keys(), ...to.keys()])].sort();
  return objects.flatMap((object): Difference[] => {
    const [before, after] = [from.get(object), to.get(object)];
    const owner = (after ?? before)?.owner ?? null;
    if (!before || !after) return [{ object, change: before ? 'removed' : 'added', aspects: [], owner }];
    const aspects = [...new Set([...before.aspects.keys(), ...after.aspects.keys()])].filter(
      (aspect) => before.aspects.get(aspect)?.value !== after.aspects.get(aspect)?.value,
    );
    return aspects.length > 0 ? [{ object, change: 'changed', aspects: aspects.sort(), owner }] : [];
  });
}

/** An object with what is another one in it, where that is not all there is to say of it. */
export function describeDifference({ object, aspects }: Difference): string {
  const said = aspects.filter((aspect) => aspect !== 'definition');
  return said.length > 0 ? `${object} (${aspects.join(', ')})` : object;
}

/** Without what goes with a larger object that came or went as a whole: the columns of a new table. */
export function essential(differences: readonly Difference[]): Difference[] {
  const whole = new Map(differences.map(({ object, change }) => [object, change]));
  return differences.filter(
    ({ change, owner }) => change === 'changed' || owner === null || whole.get(owner) !== change,
  );
}
