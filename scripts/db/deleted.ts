/** Rows of tables that stay, which a way back deletes: only the version itself can bring them again. */
import type { TransactionSql } from 'postgres';
import { mayBringRows } from '../sql/kinds.ts';
import { quote } from './names.ts';
import { nameOf } from './risks.ts';
import { ownRows } from './rows.ts';
import type { Script } from './running.ts';
import { type Relation, readStructure } from './structure.ts';

/** Tables by number that lose rows, with what tells these apart noted for this transaction. */
export type Losing = string[];

/** Tries a way back, gives that up again, and notes the rows of the tables that it has deleted rows from. */
export async function noteDeleting(
  tx: TransactionSql,
  script: Script,
  wayBack: () => Promise<void>,
): Promise<Losing> {
  if (!script.statements.some((statement) => mayBringRows(statement) || 'TruncateStmt' in statement.tree))
    return [];
  const before = await readStructure(tx);
  const counts = await deletions(tx);
  await tx.unsafe('savepoint deleting');
  await wayBack();
  const after = await readStructure(tx);
  await tx.unsafe('rollback to savepoint deleting');
  const now = await deletions(tx);
  const losing = [...before.values()].filter(
    ({ oid, kind, file }) =>
      kind === 'r' && after.has(oid) && (now.get(oid) !== counts.get(oid) || after.get(oid)?.file !== file),
  );
  await tx.unsafe('set local row_security = off');
  for (const relation of losing)
    await tx.unsafe(`create temporary table ${noted(relation.oid)} as ${rowsOf(relation)}`);
  await tx.unsafe('set local row_security to default');
  return losing.map(({ oid }) => oid);
}

/** What is gone for good, in words. */
export async function goneForGood(tx: TransactionSql, losing: Losing): Promise<string[]> {
  const structure = losing.length > 0 ? await readStructure(tx) : new Map<string, Relation>();
  const reasons: string[] = [];
  for (const oid of losing) {
    const relation = structure.get(oid);
    if (!relation) continue;
    const [row] = await tx.unsafe<{ rows: string }[]>(
      `select count(*) as rows from (select print from ${noted(oid)} except all ${rowsOf(relation)}) gone`,
    );
    const rows = Number(row?.rows ?? 0);
    if (rows > 0)
      reasons.push(
        `${rows} ${rows === 1 ? 'row' : 'rows'} of ${nameOf(relation)}, which the way back deletes, would not come back`,
      );
  }
  return reasons;
}

export async function forgetNotes(tx: TransactionSql, losing: Losing): Promise<void> {
  for (const oid of losing) await tx.unsafe(`drop table if exists ${noted(oid)}`);
}

/** By the key; where there is none, by all that is in them. */
function rowsOf(relation: Relation): string {
  const names =
    relation.key.length > 0
      ? relation.key
      : relation.columns.filter(({ generated }) => !generated).map(({ name }) => name);
  return `select md5(row(${names.map((name) => `t.${quote(name)}`).join(', ')})::text) as print from ${ownRows(relation)} t`;
}

/** How many rows of each table this transaction has deleted, also where that was given up again. */
async function deletions(tx: TransactionSql): Promise<Map<string, string>> {
  const rows = await tx<{ oid: string; count: string }[]>`
    select relid::int8::text as oid, n_tup_del::text as count from pg_stat_xact_user_tables where n_tup_del > 0`;
  return new Map(rows.map(({ oid, count }) => [oid, count]));
}

function noted(oid: string): string {
  return `pg_temp.imago_before_${oid}`;
}
