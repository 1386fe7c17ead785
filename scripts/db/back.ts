/** Puts back what a downgrade has moved aside, all of it as one thing, once the version is there again. */
import type { TransactionSql } from 'postgres';
import type { Statement } from '../sql/statements.ts';
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
import { type Brought, forgetBrought, readBroughtRows, readBroughtValues } from './brought.ts';
import { refreshViews } from './computed.ts';
import { isAboutRows } from './constraints.ts';
import { type Target, takePresets } from './filling.ts';
import { quote } from './names.ts';
import { Problem } from './problem.ts';
import { quietly } from './quiet.ts';
import { findColumn, ownRows, sameKey } from './rows.ts';
import { explain, runStatements, type Script, whatIsWrong } from './running.ts';
import { inParts } from './splitting.ts';
import { writesTheSame } from './steady.ts';
import { type Relation, readStructure, type Structure } from './structure.ts';
import { fillEarly, fillForGood, Unfit } from './whole.ts';

/** What came back, for people. */
export interface PutBack {
  object: string;
  rows: number;
  /** Rows or values that stay in the attic, as what they refer to, or were made from, is gone. */
  left: number;
  /** Values that somebody has changed since: what they wrote stays. */
  newer: number;
}

/** What comes back of a version when it is applied. */
export interface Returned {
  putBack: PutBack[];
  /** Materialized views that were computed again. */
  refreshed: string[];
  /** Whether something holds an enum value that can be used only once the version is committed. */
  isPostponed: boolean;
}

/** A value of an enum is used in the transaction that has added it. */
const UNSAFE_NEW_ENUM_VALUE = '55P04';

/** The kept things of one version, put back while the version is applied. */
export class Return {
  readonly #tx: TransactionSql;
  readonly #version: string;
  readonly #kept: Kept[];
  readonly #fireTriggers: boolean;
  /** Values of changed types that people have written since, by entry. */
  readonly #outdated = new Map<string, number>();
  /** What came back before its time, and comes back once more in the end. */
  readonly #early = new Set<string>();

  private constructor(tx: TransactionSql, version: string, kept: Kept[], fireTriggers: boolean) {
    this.#tx = tx;
    this.#version = version;
    this.#kept = kept;
    this.#fireTriggers = fireTriggers;
  }

  /** Looks what waits for a version, and which values of changed types nobody has changed since. */
  static async prepare(
    tx: TransactionSql,
    version: string,
    { fireTriggers = false }: { fireTriggers?: boolean } = {},
  ): Promise<Return> {
    return await Return.#of(tx, version, await waitingFor(tx, version), fireTriggers);
  }

  /** Puts back what had to wait until the version was committed. */
  static async resume(
    tx: TransactionSql,
    version: string,
    { fireTriggers = false }: { fireTriggers?: boolean } = {},
  ): Promise<Returned> {
    const kept = (await waitingFor(tx, version)).filter(({ details }) => details.postponed);
    return await (await Return.#of(tx, version, kept, fireTriggers)).finish();
  }

  static async #of(
    tx: TransactionSql,
    version: string,
    kept: Kept[],
    fireTriggers: boolean,
  ): Promise<Return> {
    const self = new Return(tx, version, kept, fireTriggers);
    const structure = kept.length > 0 ? await readStructure(tx) : new Map();
    await tx.unsafe('set local row_security = off');
    for (const entry of kept) {
      const newer = entry.kind === 'values' ? await dropOutdated(tx, entry, structure) : 0;
      self.#outdated.set(entry.id, entry.details.newer + newer);
    }
    await tx.unsafe('set local row_security to default');
    return self;
  }

  /** Runs the version. Where a statement asks for what only the kept rows and values have, these come back before it. */
  async run(script: Script): Promise<void> {
    if (this.#kept.length === 0) return await runStatements(this.#tx, script);
    for (const statement of script.statements) {
      const ways: (() => Promise<unknown>)[] = [
        () => this.#tx.unsafe(statement.text),
        () => this.#afterFilling(statement, { rows: false }),
        () => this.#inParts(statement, { rows: false }),
        () => this.#afterFilling(statement, { rows: true }),
        () => this.#inParts(statement, { rows: true }),
        () => this.#withPresets(statement),
      ];
      const failures = await this.#firstThatWorks(ways);
      const [error] = failures;
      if (error === undefined) continue;
      const isTooNew = failures.slice(1).some((other) => codeOf(other) === UNSAFE_NEW_ENUM_VALUE);
      throw isTooNew ? valueOfTheSameVersion(this.#kept) : explain(error, script.file, statement);
    }
  }

  /** Gives why each of them failed; nothing where one has worked. */
  async #firstThatWorks(ways: readonly (() => Promise<unknown>)[]): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (const way of ways) {
      const early = [...this.#early];
      await this.#tx.unsafe('savepoint statement');
      try {
        await way();
        await this.#tx.unsafe('release savepoint statement');
        return [];
      } catch (error) {
        failures.push(error);
        // The connection may have ended, and the transaction is given up anyway.
        if (!(error instanceof Impossible) && !isAboutRows(error)) break;
        await this.#tx.unsafe('rollback to savepoint statement; release savepoint statement');
        this.#early.clear();
        for (const id of early) this.#early.add(id);
      }
    }
    return failures;
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** What the version has brought by itself, before anything comes back. */
  async readBrought(script: Script): Promise<(Brought & { id: string })[]> {
    const targets = this.#targets(await readStructure(this.#tx));
    const isSteady = await writesTheSame(this.#tx, script);
    const all: (Brought & { id: string })[] = [];
    for (const target of targets) {
      const id = target.table?.id;
      if (id !== undefined) {
        const filledEarly = this.#early.has(id);
        const brought = await readBroughtRows(this.#tx, target, { isSteady, filledEarly });
        if (brought) all.push({ id, ...brought });
      }
      for (const returning of isSteady && this.#early.size === 0 ? target.columns : []) {
        const brought = await readBroughtValues(this.#tx, target, returning);
        if (brought) all.push({ id: returning.entry.id, ...brought });
      }
    }
    return all;
  }

  async #afterFilling({ text }: Statement, { rows }: { rows: boolean }): Promise<void> {
    await this.#fillEarly({ rows });
    await this.#tx.unsafe(text);
  }

  /** A new column, and then what is asked of it. */
  async #inParts(
    statement: Statement,
    { rows, presets }: { rows: boolean; presets?: ReadonlyMap<string, string> },
  ): Promise<readonly string[]> {
    const parts = inParts(statement, presets);
    if (!parts) throw new Impossible();
    await this.#tx.unsafe(parts.columns);
    await this.#fillEarly({ rows });
    for (const part of parts.demands) await this.#tx.unsafe(part);
    return parts.preset;
  }

  /** A new column of a domain that is never null: its rows must have kept values to get. */
  async #withPresets(statement: Statement): Promise<void> {
    const presets = new Map<string, string>();
    const columns = this.#kept.filter(({ kind }) => kind === 'column');
    for (const { id, column } of columns) {
      const [row] = await this.#tx.unsafe<{ value: string }[]>(
        `select value::text as value from ${atticTable(id)} where value is not null limit 1`,
      );
      if (row && column !== null) presets.set(column, row.value);
    }
    const preset = await this.#inParts(statement, { rows: true, presets });
    const targets = this.#targets(await readStructure(this.#tx));
    const relations = targets.map(({ relation }) => relation);
    await quietly(this.#tx, relations, async () => {
      for (const target of targets) await takePresets(this.#tx, target, preset);
    });
  }

  async #fillEarly({ rows }: { rows: boolean }): Promise<void> {
    const targets = this.#targets(await readStructure(this.#tx)).filter(
      ({ table }) => rows || table === undefined,
    );
    if (targets.length === 0) throw new Impossible();
    await fillEarly(this.#tx, targets, { fireTriggers: this.#fireTriggers });
    for (const { table, columns } of targets)
      for (const entry of [table, ...columns.map((returning) => returning.entry)])
        if (entry) this.#early.add(entry.id);
  }

  /** In the end: everything, or, where an enum value is too new, nothing yet. */
  async finish(): Promise<Returned> {
    if (this.#kept.length === 0) return { putBack: [], refreshed: [], isPostponed: false };
    const tx = this.#tx;
    await tx.unsafe('set local row_security = off; savepoint put_back');
    try {
      const finished = await this.#finish();
      await tx.unsafe('set local row_security to default');
      return { ...finished, isPostponed: false };
    } catch (error) {
      if (codeOf(error) !== UNSAFE_NEW_ENUM_VALUE) throw this.#explained(error);
      await tx.unsafe('rollback to savepoint put_back');
      for (const { id } of this.#kept) await postpone(tx, id, this.#outdated.get(id) ?? 0);
      return { putBack: [], refreshed: [], isPostponed: true };
    }
  }

  async #finish(): Promise<Omit<Returned, 'isPostponed'>> {
    const tx = this.#tx;
    const structure = await readStructure(tx);
    this.#expectAllThere(structure);
    const targets = this.#targets(structure);
    const filled = await fillForGood(tx, targets, this.#kept, {
      fireTriggers: this.#fireTriggers,
      early: this.#early,
    });
    for (const { id } of this.#kept) await forgetBrought(tx, id);
    const tables = targets.map(({ relation }) => relation.oid);
    const refreshed = await refreshViews(tx, tables, this.#kept.filter(isView));
    const putBack: PutBack[] = [];
    for (const entry of this.#kept.filter(hasRows)) {
      const { rows, newer } = filled.get(entry.id) ?? { rows: 0, newer: 0 };
      const left = await settleRows(tx, entry.id);
      if (left > 0) await tx`update imago_attic.kept set put_back_at = now() where id = ${entry.id}`;
      putBack.push({
        object: objectOf(entry),
        rows,
        left,
        newer: newer + (this.#outdated.get(entry.id) ?? 0),
      });
    }
    for (const entry of this.#kept) if (!hasRows(entry)) await forget(tx, entry.id);
    await tidyAttic(tx);
    return { putBack, refreshed };
  }

  /** What is put back nowhere would be lost without a word. */
  #expectAllThere(structure: Structure): void {
    const targets = this.#targets(structure);
    const missing = this.#kept.filter(
      (kept) =>
        hasRows(kept) &&
        !targets.some(
          ({ table, columns }) => table?.id === kept.id || columns.some(({ entry }) => entry.id === kept.id),
        ),
    );
    if (missing.length > 0)
      throw this.#refusal(missing.map((entry) => `the version does not make ${objectOf(entry)}`));
  }

  #targets(structure: Structure): Target[] {
    const targets = new Map<string, Target>();
    for (const entry of this.#kept.filter(hasRows)) {
      const relation = find(structure, entry);
      if (!relation) continue;
      const target = targets.get(relation.oid) ?? { relation, columns: [] };
      targets.set(relation.oid, target);
      if (entry.kind === 'table') {
        target.table = entry;
        continue;
      }
      const column = relation.columns.find(({ name }) => name === entry.column);
      if (column && !column.generated) target.columns.push({ entry, column });
    }
    return [...targets.values()].filter(({ table, columns }) => table || columns.length > 0);
  }

  #explained(error: unknown): unknown {
    if (error instanceof Unfit)
      return this.#refusal(
        error.failures.map((failure) => whatIsWrong(failure)),
        error.failures[0],
      );
    return isAboutRows(error) ? this.#refusal([whatIsWrong(error)], error) : error;
  }

  #refusal(reasons: readonly string[], cause?: unknown): Problem {
    return new Problem(
      'kept-does-not-fit',
      `What was kept of version ${this.#version} cannot come back whole: ${reasons.join('; ')}.`,
      `The version was taken back whole, and what was kept is still in imago_attic. Change what is in its way and run this again; or go without it, and leave it where it is: update imago_attic.kept set put_back_at = now() where version = '${this.#version}' and put_back_at is null;`,
      { cause },
    );
  }
}

function hasRows({ kind }: Kept): boolean {
  return kind !== 'sequence' && kind !== 'view';
}

function isView({ kind }: Kept): boolean {
  return kind === 'view';
}

/** A way of running a statement that does not apply to it. */
class Impossible extends Error {}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

/** A column that must have a value cannot wait for the commit. */
function valueOfTheSameVersion(kept: readonly Kept[]): Problem {
  const columns = kept.filter(({ kind }) => kind === 'column').map(objectOf);
  return new Problem(
    'rows-do-not-fit',
    `Some of what was kept, of ${columns.join(', ')}, must come back before the version is committed, and holds an enum value that this version adds: PostgreSQL lets nobody use it so early.`,
    'The version was taken back whole. Put its alter type … add value into a version of its own before this one.',
  );
}

/** Values that were written since win over those that were kept; gives how many there are. */
async function dropOutdated(tx: TransactionSql, entry: Kept, structure: Structure): Promise<number> {
  const relation = find(structure, entry);
  const column =
    relation &&
    (findColumn(relation, entry.details.oid, { number: entry.details.number, name: entry.column }) ??
      relation.columns.find(({ name }) => name === entry.column));
  if (!relation || !column) return 0;
  const row = `
    select from ${ownRows(relation)} t where ${sameKey(entry.details, relation)}`;
  const outdated = await tx.unsafe(`
    delete from ${atticTable(entry.id)} a
    where exists (${row} and t.${quote(column.name)}::text is distinct from a.written)`);
  await tx.unsafe(`delete from ${atticTable(entry.id)} a where not exists (${row})`);
  return outdated.count;
}

/** A table, when it was made again, by its name; one that was there all the time by its number, whatever it is called. */
function find(structure: Structure, { kind, schema, relation, details }: Kept): Relation | undefined {
  const named = [...structure.values()].find(
    (candidate) => candidate.schema === schema && candidate.name === relation,
  );
  return kind === 'table' ? named : (structure.get(details.oid) ?? named);
}
