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
import {
  addBrought,
  type Brought,
  dropOvertaken,
  forgetBrought,
  readBroughtRows,
  readBroughtValues,
  type SetAside,
  setBroughtAside,
} from './brought.ts';
import { refreshViews } from './computed.ts';
import { checksOfNewRows, isAboutRows, makeAgain, type Removable, removableKey } from './constraints.ts';
import {
  fillRows,
  fillValues,
  hasNewRows,
  hasRowsBeside,
  type Keys,
  prepareValues,
  type Target,
  takenRows,
  takenValues,
  takeOrphans,
  touchedBy,
  uniqueOf,
} from './filling.ts';
import { foreignKeysOf } from './foreign-keys.ts';
import { quote } from './names.ts';
import { Problem } from './problem.ts';
import { quietly } from './quiet.ts';
import { findColumn, ownRows, sameKey } from './rows.ts';
import { explain, runStatements, type Script, whatIsWrong } from './running.ts';
import { restorePosition } from './sequences.ts';
import { inParts } from './splitting.ts';
import { writesTheSame } from './steady.ts';
import { type Relation, readStructure, type Structure } from './structure.ts';

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
  /** Materialized views that were computed anew. */
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
  readonly #newer = new Map<string, number>();
  /** What came back before its time, and comes back once more in the end. */
  readonly #early = new Set<string>();
  /** Rows and values that are back. */
  readonly #taken = new Map<string, number>();
  #tries = 0;

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
    for (const entry of kept) {
      const newer = entry.kind === 'values' ? await dropOutdated(tx, entry, structure) : 0;
      self.#newer.set(entry.id, entry.details.newer + newer);
    }
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
        await this.#tx.unsafe('rollback to savepoint statement; release savepoint statement');
        this.#early.clear();
        for (const id of early) this.#early.add(id);
        failures.push(error);
        if (!(error instanceof Impossible) && !isAboutRows(error)) break;
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

  /** A new column of a domain that is never null: every row must have a kept value to get. */
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
    for (const target of targets) if (await hasRowsBeside(this.#tx, target, preset)) throw new Impossible();
  }

  async #fillEarly({ rows }: { rows: boolean }): Promise<void> {
    const targets = this.#targets(await readStructure(this.#tx)).filter(
      ({ table }) => rows || table === undefined,
    );
    if (targets.length === 0) throw new Impossible();
    await this.#fill(targets, { early: true });
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
      return { ...(await this.#finish()), isPostponed: false };
    } catch (error) {
      if (codeOf(error) !== UNSAFE_NEW_ENUM_VALUE) throw this.#explained(error);
      await tx.unsafe('rollback to savepoint put_back');
      for (const { id } of this.#kept) await postpone(tx, id, this.#newer.get(id) ?? 0);
      return { putBack: [], refreshed: [], isPostponed: true };
    }
  }

  async #finish(): Promise<Omit<Returned, 'isPostponed'>> {
    const tx = this.#tx;
    const structure = await readStructure(tx);
    this.#expectAllThere(structure);
    const targets = this.#targets(structure);
    await this.#fill(targets, { early: false });
    const tables = targets.map(({ relation }) => relation.oid);
    const refreshed = await refreshViews(tx, tables, this.#kept.filter(isView));
    const putBack = this.#kept.filter(hasRows).map((entry) => this.#report(entry));
    for (const report of putBack) {
      report.left = await settleRows(tx, report.id);
      if (report.left > 0) await tx`update imago_attic.kept set put_back_at = now() where id = ${report.id}`;
    }
    for (const entry of this.#kept) if (!hasRows(entry)) await forget(tx, entry.id);
    await tidyAttic(tx);
    return { putBack: putBack.map(({ id: _, ...report }) => report), refreshed };
  }

  #report(entry: Kept): PutBack & { id: string } {
    return {
      id: entry.id,
      object: objectOf(entry),
      rows: this.#taken.get(entry.id) ?? 0,
      left: 0,
      newer: this.#newer.get(entry.id) ?? 0,
    };
  }

  #isNewer(id: string, count: number): void {
    this.#newer.set(id, (this.#newer.get(id) ?? 0) + count);
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

  async #fill(targets: readonly Target[], { early }: { early: boolean }): Promise<void> {
    const tx = this.#tx;
    const keys = await foreignKeysOf(tx, targets.map(touchedBy));
    const sides: Keys = {
      inside: keys.filter(({ inside }) => inside),
      outside: keys.filter(({ inside }) => !inside),
    };
    const removed: Removable[] = [];
    const failures = await quietly(
      tx,
      targets.map(({ relation }) => relation),
      async () => {
        const checks = await checksOfNewRows(
          tx,
          targets.map(({ relation }) => relation.oid),
        );
        const held = [...sides.inside.map(removableKey), ...checks];
        for (const { drop } of held) await tx.unsafe(drop);
        if (early) await this.#fillAll(targets, sides, removed, { early });
        else await this.#fillForGood(targets, sides, removed);
        await tx.unsafe('set constraints all immediate');
        return await makeAgain(tx, [...removed, ...held]);
      },
      { triggers: !this.#fireTriggers },
    );
    const [first] = failures;
    if (early && first) throw first;
    if (first) throw this.#refusal(failures.map((failure) => whatIsWrong(failure)));
    if (!early) for (const { id } of this.#kept) await forgetBrought(tx, id);
  }

  async #fillForGood(targets: readonly Target[], keys: Keys, removed: Removable[]): Promise<void> {
    const tx = this.#tx;
    for (const target of targets)
      for (const returning of target.columns) {
        const { id } = returning.entry;
        if (!this.#early.has(id)) this.#isNewer(id, await dropOvertaken(tx, target, returning));
      }
    const brought = new Map<Target, SetAside>();
    for (const target of targets.filter(({ table }) => table)) {
      const filledEarly = this.#early.has(target.table?.id ?? '');
      brought.set(target, await setBroughtAside(tx, target, { filledEarly }));
    }
    let isNew = [...brought.values()].some((aside) => aside.isNew);
    for (const target of targets) isNew ||= await hasNewRows(tx, target);
    for (const entry of this.#kept) if (entry.kind === 'sequence') await restorePosition(tx, entry, isNew);
    await this.#fillAll(targets, keys, removed, { early: false });
    for (const [target, aside] of brought) {
      const id = target.table?.id ?? '';
      const taken = await takenRows(tx, target, keys);
      const newer = await addBrought(tx, target, aside);
      this.#taken.set(id, taken - newer);
      this.#isNewer(id, newer);
    }
    // What refers to something that stays, stays as well.
    for (let found = 1; found > 0; ) {
      found = 0;
      for (const target of targets) {
        const count = await takeOrphans(tx, target, keys);
        const id = target.table?.id;
        if (id !== undefined) this.#taken.set(id, (this.#taken.get(id) ?? 0) - count);
        found += count;
      }
    }
    for (const { columns } of targets)
      for (const returning of columns) this.#taken.set(returning.entry.id, await takenValues(tx, returning));
  }

  async #fillAll(
    targets: readonly Target[],
    keys: Keys,
    removed: Removable[],
    { early }: { early: boolean },
  ): Promise<void> {
    // A check may look into another table by a function: what does not fit yet is tried again after the others.
    let left = [...targets];
    while (left.length > 0) {
      const failed: { target: Target; error: unknown }[] = [];
      for (const target of left) {
        const error = await this.#tried(() => this.#fillOne(target, keys, removed, { early }));
        if (error !== undefined) failed.push({ target, error });
      }
      if (failed.length === left.length) throw failed[0]?.error;
      left = failed.map(({ target }) => target);
    }
  }

  async #fillOne(
    target: Target,
    keys: Keys,
    removed: Removable[],
    { early }: { early: boolean },
  ): Promise<void> {
    const tx = this.#tx;
    if (target.table) await fillRows(tx, target, keys, { early });
    if (target.columns.length === 0) return;
    await prepareValues(tx, target, keys);
    const error = await this.#tried(() => fillValues(tx, target));
    if (error === undefined) return;
    if (!['23505', '23P01'].includes(codeOf(error) ?? '')) throw error;
    // One row may have what another is about to get.
    const unique = await uniqueOf(tx, target);
    for (const { drop } of unique) await tx.unsafe(drop);
    await fillValues(tx, target);
    removed.push(...unique);
  }

  /** Gives what rows do not allow, having undone it. */
  async #tried(work: () => Promise<void>): Promise<unknown> {
    const savepoint = `try_${++this.#tries}`;
    await this.#tx.unsafe(`savepoint ${savepoint}`);
    try {
      await work();
      await this.#tx.unsafe(`release savepoint ${savepoint}`);
      return undefined;
    } catch (error) {
      if (!isAboutRows(error)) throw error;
      await this.#tx.unsafe(`rollback to savepoint ${savepoint}; release savepoint ${savepoint}`);
      return error;
    }
  }

  #explained(error: unknown): unknown {
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
    relation && findColumn(relation, entry.details.oid, { number: entry.details.number, name: entry.column });
  if (!relation || !column) return 0;
  const row = `
    select from ${ownRows(relation)} t where ${sameKey(entry.details, relation)}`;
  const outdated = await tx.unsafe(`
    delete from ${atticTable(entry.id)} a
    where exists (${row} and t.${quote(column.name)}::text is distinct from a.written)`);
  await tx.unsafe(`delete from ${atticTable(entry.id)} a where not exists (${row})`);
  return outdated.count;
}

/** A table, when it was made anew, by its name; one that was there all the time by its number, whatever it is called. */
function find(structure: Structure, { kind, schema, relation, details }: Kept): Relation | undefined {
  const named = [...structure.values()].find(
    (candidate) => candidate.schema === schema && candidate.name === relation,
  );
  return kind === 'table' ? named : (structure.get(details.oid) ?? named);
}
