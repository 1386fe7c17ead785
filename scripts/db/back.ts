/** Puts back what a downgrade has moved aside, once the version is there again. */
import type { TransactionSql } from 'postgres';
import { sameKey } from './aside.ts';
import {
  atticTable,
  forget,
  type Kept,
  objectOf,
  postpone,
  settleRows,
  tidyAttic,
  waitingFor,
} from './attic.ts';
import { qualified, quote } from './names.ts';
import { Problem } from './problem.ts';
import { type Relation, readStructure, type Structure } from './structure.ts';
import { withoutTriggers } from './triggers.ts';

/** What came back, for people. */
export interface PutBack {
  object: string;
  rows: number;
  /** Rows or values that stay in the attic, as what they refer to is gone. */
  left: number;
  /** Values that somebody has changed since: what they wrote stays. */
  newer: number;
}

/** What comes back of a version when it is applied. */
export interface Returned {
  putBack: PutBack[];
  /** Whether something holds an enum value that can be used only once the version is committed. */
  isPostponed: boolean;
}

/** A value of an enum is used in the transaction that has added it. */
const UNSAFE_NEW_ENUM_VALUE = '55P04';

/** The kept things of one version, put back while the version is applied. */
export class Return {
  readonly #tx: TransactionSql;
  readonly #kept: Kept[];
  readonly #done = new Set<string>();
  readonly #putBack: PutBack[] = [];
  readonly #newer = new Map<string, number>();
  #isPostponed = false;

  private constructor(tx: TransactionSql, kept: Kept[]) {
    this.#tx = tx;
    this.#kept = kept;
  }

  /** Looks what waits for a version, and which values of changed types nobody has changed since. */
  static async prepare(tx: TransactionSql, version: string): Promise<Return> {
    return await Return.#of(tx, await waitingFor(tx, version));
  }

  /** Puts back what had to wait until the version was committed. */
  static async resume(tx: TransactionSql, version: string): Promise<PutBack[]> {
    const kept = (await waitingFor(tx, version)).filter(({ details }) => details.postponed);
    if (kept.length === 0) return [];
    return (await (await Return.#of(tx, kept)).finish()).putBack;
  }

  static async #of(tx: TransactionSql, kept: Kept[]): Promise<Return> {
    const self = new Return(tx, kept);
    const structure = kept.length > 0 ? await readStructure(tx) : new Map();
    for (const entry of kept.filter(({ kind }) => kind === 'values')) {
      const newer = await dropOutdated(tx, entry, structure);
      self.#newer.set(entry.id, entry.details.newer + newer);
    }
    return self;
  }

  /** After each statement: a column that must have a value gets its values before that is demanded. */
  async afterStatement(): Promise<void> {
    const waiting = this.#kept.filter(
      ({ id, kind, details }) => kind === 'column' && details.required && !this.#done.has(id),
    );
    if (waiting.length === 0) return;
    const structure = await readStructure(this.#tx);
    for (const entry of waiting) {
      const there = find(structure, entry)?.columns.some(({ name }) => name === entry.column);
      if (!there) continue;
      await this.#return(entry, structure);
      if (this.#isPostponed) throw valueOfTheSameVersion(entry);
    }
  }

  /** In the end: everything else. Parents come before what refers to them. */
  async finish(): Promise<Returned> {
    const structure = await readStructure(this.#tx);
    const left = this.#kept.filter(({ id }) => !this.#done.has(id));
    const order = ['table', 'column', 'values', 'sequence'];
    const tables = await parentsFirst(
      this.#tx,
      left.filter(({ kind }) => kind === 'table'),
    );
    const others = left
      .filter(({ kind }) => kind !== 'table')
      .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
    for (const entry of [...tables, ...others]) await this.#return(entry, structure);
    if (this.#kept.length > 0) await tidyAttic(this.#tx);
    return { putBack: this.#putBack, isPostponed: this.#isPostponed };
  }

  /** What holds an enum value that is not committed yet stays for {@link Return.resume}. */
  async #return(entry: Kept, structure: Structure): Promise<void> {
    await this.#tx.unsafe('savepoint put_back');
    try {
      await this.#move(entry, structure);
    } catch (error) {
      if ((error as { code?: string }).code !== UNSAFE_NEW_ENUM_VALUE) throw error;
      await this.#tx.unsafe('rollback to savepoint put_back');
      await postpone(this.#tx, entry.id, this.#newer.get(entry.id) ?? 0);
      this.#isPostponed = true;
    }
    await this.#tx.unsafe('release savepoint put_back');
  }

  async #move(entry: Kept, structure: Structure): Promise<void> {
    this.#done.add(entry.id);
    const tx = this.#tx;
    const relation = find(structure, entry);
    if (entry.kind === 'sequence') {
      if (relation)
        await tx`select setval(${qualified(relation.schema, relation.name)}::regclass, ${entry.details.last ?? '1'}::bigint)`;
      await forget(tx, entry.id);
      return;
    }
    if (!relation) return;
    const rows = await withoutTriggers(tx, relation, () =>
      entry.kind === 'table' ? returnRows(tx, entry, relation) : returnValues(tx, entry, relation),
    );
    const left = await settleRows(tx, entry.id);
    if (left > 0) await tx`update imago_attic.kept set put_back_at = now() where id = ${entry.id}`;
    this.#putBack.push({ object: objectOf(entry), rows, left, newer: this.#newer.get(entry.id) ?? 0 });
  }
}

/** A column that must have a value cannot wait for the commit. */
function valueOfTheSameVersion(entry: Kept): Problem {
  return new Problem(
    'rows-do-not-fit',
    `What was kept of ${objectOf(entry)} holds an enum value that this version adds, and PostgreSQL lets nobody use it before the version is committed.`,
    'The version was taken back whole. Put its alter type … add value into a version of its own before this one.',
  );
}

/** Values that were written since win over those that were kept; gives how many there are. */
async function dropOutdated(tx: TransactionSql, entry: Kept, structure: Structure): Promise<number> {
  const relation = structure.get(entry.details.oid);
  const column = relation?.columns.find(({ number }) => number === entry.details.number);
  if (!relation || !column) return 0;
  const row = `
    select from ${qualified(relation.schema, relation.name)} t where ${sameKey(entry.details.columns, relation)}`;
  const outdated = await tx.unsafe(`
    delete from ${atticTable(entry.id)} a
    where exists (${row} and t.${quote(column.name)}::text is distinct from a.written)`);
  await tx.unsafe(`delete from ${atticTable(entry.id)} a where not exists (${row})`);
  return outdated.count;
}

async function returnRows(tx: TransactionSql, entry: Kept, relation: Relation): Promise<number> {
  const columns = relation.columns.filter(
    ({ name, generated }) => !generated && entry.details.columns.some((column) => column.name === name),
  );
  const table = qualified(relation.schema, relation.name);
  const names = columns.map(({ name }) => quote(name)).join(', ');
  const values = columns.map(({ name, type }) => `a.${quote(name)}::${type}`).join(', ');
  const fits =
    (await references(tx, relation)).map((reference) => reference('a', columns)).join(' and ') || 'true';
  const key = await primaryKey(tx, relation);
  const sets = columns
    .filter(({ name }) => !key.includes(name))
    .map(({ name }) => `${quote(name)} = excluded.${quote(name)}`);
  // The version may bring rows of its own: what was kept is what had become of them.
  const conflict =
    key.length === 0
      ? ''
      : `on conflict (${key.map(quote).join(', ')}) do ${sets.length > 0 ? `update set ${sets.join(', ')}` : 'nothing'}`;
  const result = await tx.unsafe(
    `insert into ${table} (${names}) overriding system value select ${values} from ${atticTable(entry.id)} a where ${fits} ${conflict}`,
  );
  await tx.unsafe(`delete from ${atticTable(entry.id)} a where ${fits}`);
  return result.count;
}

async function returnValues(tx: TransactionSql, entry: Kept, relation: Relation): Promise<number> {
  const column = relation.columns.find(({ name }) => name === entry.column);
  if (!column) return 0;
  const join = `${qualified(relation.schema, relation.name)} t where ${sameKey(entry.details.columns, relation)}`;
  const value = { ...column, name: 'value' };
  const fits =
    (await references(tx, relation, column.name))
      .map((reference) => reference('a', [value], 'value'))
      .join(' and ') || 'true';
  const result = await tx.unsafe(`
    update ${qualified(relation.schema, relation.name)} t set ${quote(column.name)} = a.value::${column.type}
    from ${atticTable(entry.id)} a
    where ${sameKey(entry.details.columns, relation)} and ${fits}`);
  // What was put back is settled, and so is what belonged to rows that are gone.
  await tx.unsafe(`delete from ${atticTable(entry.id)} a where ${fits} or not exists (select from ${join})`);
  return result.count;
}

/** Whether what a row of the attic refers to is there, as a condition for each foreign key of the table. */
type Reference = (
  alias: string,
  columns: readonly { name: string; type: string }[],
  instead?: string,
) => string;

async function references(tx: TransactionSql, relation: Relation, only?: string): Promise<Reference[]> {
  const rows = await tx<{ from: string[]; to: string[]; parent: string }[]>`
    select
      (select array_agg(a.attname::text order by k.ordinality) from unnest(c.conkey) with ordinality k(number, ordinality)
       join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number) as "from",
      (select array_agg(a.attname::text order by k.ordinality) from unnest(c.confkey) with ordinality k(number, ordinality)
       join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.number) as "to",
      format('%I.%I', n.nspname, r.relname) as parent
    from pg_constraint c join pg_class r on r.oid = c.confrelid join pg_namespace n on n.oid = r.relnamespace
    where c.contype = 'f' and c.conrelid = ${relation.oid}::oid and c.confrelid <> c.conrelid`;
  return rows
    .filter(({ from }) => only === undefined || (from.length === 1 && from[0] === only))
    .map(({ from, to, parent }) => (alias, columns, instead) => {
      const own = from.map((name) => {
        const type = columns.find((column) => column.name === (instead ?? name))?.type;
        return type === undefined ? 'null' : `${alias}.${quote(instead ?? name)}::${type}`;
      });
      const same = own.map((value, index) => `p.${quote(to[index] ?? '')} = ${value}`).join(' and ');
      return `(${own.map((value) => `${value} is null`).join(' or ')} or exists (select from ${parent} p where ${same}))`;
    });
}

async function primaryKey(tx: TransactionSql, relation: Relation): Promise<string[]> {
  const rows = await tx<{ name: string }[]>`
    select a.attname::text as name from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = ${relation.oid}::oid and i.indisprimary`;
  return rows.map(({ name }) => name);
}

async function parentsFirst(tx: TransactionSql, tables: Kept[]): Promise<Kept[]> {
  const rows = await tx<{ child: string; parent: string }[]>`
    select format('%s.%s', cn.nspname, c.relname) as child, format('%s.%s', pn.nspname, p.relname) as parent
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid join pg_namespace cn on cn.oid = c.relnamespace
    join pg_class p on p.oid = k.confrelid join pg_namespace pn on pn.oid = p.relnamespace
    where k.contype = 'f' and k.conrelid <> k.confrelid`;
  const left = [...tables];
  const sorted: Kept[] = [];
  const name = ({ schema, relation }: Kept) => `${schema}.${relation}`;
  while (left.length > 0) {
    const waiting = new Set(left.map(name));
    const free = left.findIndex(
      (entry) => !rows.some(({ child, parent }) => child === name(entry) && waiting.has(parent)),
    );
    // Tables that refer to each other in a circle: any order, deferrable keys allow it.
    sorted.push(...left.splice(Math.max(free, 0), 1));
  }
  return sorted;
}

/** The table by its number, or by its name where it was made anew. */
function find(structure: Structure, { schema, relation, details }: Kept): Relation | undefined {
  return (
    structure.get(details.oid) ??
    [...structure.values()].find((candidate) => candidate.schema === schema && candidate.name === relation)
  );
}
