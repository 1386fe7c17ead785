/** What a database consists of, object by object, and in what two databases differ. */
import { readFile } from 'node:fs/promises';
import type { Sql, TransactionSql } from 'postgres';

/** Definitions by `kind name`. */
export type Catalog = Map<string, string>;

/** One object that two catalogs do not have alike. */
export interface Difference {
  /** As seen from the first catalog to the second. */
  change: 'added' | 'removed' | 'changed';
  /** Kind and name. */
  object: string;
}

const query = await readFile(new URL('./catalog.sql', import.meta.url), 'utf8');

/** Reads a database's catalog. With an empty search path every name in it is a full one. */
export async function readCatalog(sql: Sql): Promise<Catalog> {
  return await sql.begin('isolation level repeatable read read only', async (tx) => {
    await tx`select set_config('search_path', '', true)`;
    return catalogIn(tx);
  });
}

async function catalogIn(tx: TransactionSql): Promise<Catalog> {
  const rows = await tx.unsafe<{ kind: string; name: string; definition: string }[]>(query);
  return new Map(rows.map(({ kind, name, definition }) => [`${kind} ${name}`, definition]));
}

/** What changes from one catalog to another, in the order of kinds and names. */
export function compareCatalogs(from: Catalog, to: Catalog): Difference[] {
  const objects = [...new Set([...from.keys(), ...to.keys()])].sort();
  return objects.flatMap((object): Difference[] => {
    const [before, after] = [from.get(object), to.get(object)];
    if (before === after) return [];
    return [{ object, change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed' }];
  });
}

/** Without what goes with a larger object that came or went as a whole: the columns of a new table. */
export function essential(differences: readonly Difference[]): Difference[] {
  const whole = new Map(
    differences
      .filter(({ change, object }) => change !== 'changed' && /^(table|composite type) /.test(object))
      .map(({ change, object }) => [object.replace(/^(table|composite type) /, ''), change]),
  );
  return differences.filter(({ change, object }) => {
    const [, owner] =
      /^column (.+)\.(?:"(?:[^"]|"")+"|[^".]+)$/.exec(object) ??
      /^(?:constraint|trigger|policy|rule) .* on (.+)$/.exec(object) ??
      [];
    return owner === undefined || whole.get(owner) !== change;
  });
}
