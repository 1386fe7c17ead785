/** Fills tables and columns as one thing: what is between them steps aside, and judges in the end. */
import type { TransactionSql } from 'postgres';
import type { Kept } from './attic.ts';
import { addBrought, dropOvertaken, type SetAside, setBroughtAside } from './brought.ts';
import { checksOfNewRows, isAboutRows, makeAgain, type Removable, removableKey } from './constraints.ts';
import {
  fillRows,
  fillValues,
  hasNewRows,
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
import { quietly } from './quiet.ts';
import { restorePosition } from './sequences.ts';

/** What has become of one entry of the attic. */
export interface Filled {
  /** Rows or values that are back. */
  rows: number;
  /** Those that made room for what people have written. */
  newer: number;
}

/** Constraints that what came back does not fit, each as PostgreSQL says it. */
export class Unfit extends Error {
  readonly failures: readonly unknown[];

  constructor(failures: readonly unknown[]) {
    super('what came back does not fit');
    this.failures = failures;
  }
}

interface How {
  fireTriggers: boolean;
}

/** Before the version has ended; all of it comes back once more then. */
export async function fillEarly(
  tx: TransactionSql,
  targets: readonly Target[],
  { fireTriggers }: How,
): Promise<void> {
  const failures = await filling(tx, targets, { fireTriggers }, (keys) =>
    fillAll(tx, targets, keys, { early: true }),
  );
  if (failures.length > 0) throw failures[0];
}

/** In the end. `early` are the entries that came back before their time. */
export async function fillForGood(
  tx: TransactionSql,
  targets: readonly Target[],
  kept: readonly Kept[],
  { fireTriggers, early }: How & { early: ReadonlySet<string> },
): Promise<Map<string, Filled>> {
  const filled = new Map<string, Filled>();
  const add = (id: string, rows: number, newer: number): void => {
    const before = filled.get(id) ?? { rows: 0, newer: 0 };
    filled.set(id, { rows: before.rows + rows, newer: before.newer + newer });
  };
  const tables = targets.flatMap((target) => (target.table ? [{ target, id: target.table.id }] : []));
  const columns = targets.flatMap((target) => target.columns.map((returning) => ({ target, returning })));
  const failures = await filling(tx, targets, { fireTriggers }, async (keys) => {
    for (const { target, returning } of columns) {
      const { id } = returning.entry;
      if (!early.has(id)) add(id, 0, await dropOvertaken(tx, target, returning));
    }
    const aside = new Map<string, SetAside>();
    for (const { target, id } of tables)
      aside.set(id, await setBroughtAside(tx, target, { filledEarly: early.has(id) }));
    let isNew = [...aside.values()].some((one) => one.isNew);
    for (const target of targets) isNew ||= await hasNewRows(tx, target);
    for (const entry of kept) if (entry.kind === 'sequence') await restorePosition(tx, entry, isNew);
    const removed = await fillAll(tx, targets, keys, { early: false });
    for (const { target, id } of tables) {
      const taken = await takenRows(tx, target, keys);
      const { newer, gone } = await addBrought(tx, target, aside.get(id) as SetAside);
      add(id, taken - newer - gone, newer);
    }
    // What refers to something that stays, stays as well.
    for (let found = 1; found > 0; ) {
      found = 0;
      for (const target of targets) {
        const count = await takeOrphans(tx, target, keys);
        if (target.table) add(target.table.id, -count, 0);
        found += count;
      }
    }
    for (const { returning } of columns) add(returning.entry.id, await takenValues(tx, returning), 0);
    return removed;
  });
  if (failures.length > 0) throw new Unfit(failures);
  return filled;
}

/** Runs work while nothing looks at rows; gives the constraints that they do not fit afterwards. */
async function filling(
  tx: TransactionSql,
  targets: readonly Target[],
  { fireTriggers }: How,
  work: (keys: Keys) => Promise<Removable[]>,
): Promise<unknown[]> {
  const relations = targets.map(({ relation }) => relation);
  const keys = await foreignKeysOf(tx, targets.map(touchedBy));
  const inside = keys.filter((key) => key.inside);
  const outside = keys.filter((key) => !key.inside);
  return await quietly(
    tx,
    relations,
    async () => {
      const checks = await checksOfNewRows(
        tx,
        relations.map(({ oid }) => oid),
      );
      const held = [...inside.map(removableKey), ...checks];
      for (const { drop } of held) await tx.unsafe(drop);
      const removed = await work({ inside, outside });
      await tx.unsafe('set constraints all immediate');
      return await makeAgain(tx, [...removed, ...held]);
    },
    { triggers: !fireTriggers },
  );
}

/** Gives what it had to remove, to be made again. */
async function fillAll(
  tx: TransactionSql,
  targets: readonly Target[],
  keys: Keys,
  how: { early: boolean },
): Promise<Removable[]> {
  const removed: Removable[] = [];
  // A check may look into another table by a function: what does not fit yet is tried again after the others.
  let left = [...targets];
  while (left.length > 0) {
    const failed: { target: Target; error: unknown }[] = [];
    for (const target of left) {
      const error = await tried(tx, async () => {
        removed.push(...(await fillOne(tx, target, keys, how)));
      });
      if (error !== undefined) failed.push({ target, error });
    }
    if (failed.length === left.length) throw failed[0]?.error;
    left = failed.map(({ target }) => target);
  }
  return removed;
}

async function fillOne(
  tx: TransactionSql,
  target: Target,
  keys: Keys,
  how: { early: boolean },
): Promise<Removable[]> {
  if (target.table) await fillRows(tx, target, keys, how);
  if (target.columns.length === 0) return [];
  await prepareValues(tx, target, keys);
  const error = await tried(tx, () => fillValues(tx, target));
  if (error === undefined) return [];
  if (!['23505', '23P01'].includes((error as { code?: string }).code ?? '')) throw error;
  // One row may have what another is about to get.
  const unique = await uniqueOf(tx, target);
  for (const { drop } of unique) await tx.unsafe(drop);
  await fillValues(tx, target);
  return unique;
}

/** Gives what rows do not allow, having undone it. */
async function tried(tx: TransactionSql, work: () => Promise<void>): Promise<unknown> {
  // Savepoints of one name nest.
  await tx.unsafe('savepoint try');
  try {
    await work();
    await tx.unsafe('release savepoint try');
    return undefined;
  } catch (error) {
    if (!isAboutRows(error)) throw error;
    await tx.unsafe('rollback to savepoint try; release savepoint try');
    return error;
  }
}
