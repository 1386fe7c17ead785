/** A version forward and back within a transaction, with what is kept of it. */
import type { TransactionSql } from 'postgres';
import { mayBringRows } from '../sql/kinds.ts';
import type { Statement } from '../sql/statements.ts';
import { type MovedAside, moveAside } from './aside.ts';
import { retire } from './attic.ts';
import { Return, type Returned } from './back.ts';
import { rememberBrought } from './brought.ts';
import { noteViews } from './computed.ts';
import { replaceLostValues } from './lost-values.ts';
import { Problem, sqlState } from './problem.ts';
import { runStatements, type Script } from './running.ts';
import { type Effect, readStructure, type Structure } from './structure.ts';
import {
  forgetNotes,
  keepChanged,
  keepValues,
  type Missing,
  missingIn,
  noteTouched,
  otherValues,
  type Touched,
  tablesWritten,
} from './touched.ts';

/** Applies a version and puts back what was kept of it. */
export async function walkForward(
  tx: TransactionSql,
  version: string,
  script: Script,
  options: { fireTriggers: boolean },
): Promise<Returned> {
  const back = await Return.prepare(tx, version, options);
  await back.run(script);
  await forgetSettings(tx);
  return await back.finish();
}

/** Takes a version back, having moved aside what goes with it and made sure that it can come back. */
export async function walkBack(
  tx: TransactionSql,
  version: string,
  scripts: { forward: Script; back: Script },
  effects: readonly Effect[],
  options: { allowLoss: boolean },
): Promise<MovedAside[]> {
  const known = new Set<string>();
  await retire(tx, version);
  for (;;) {
    await tx.unsafe('savepoint walk_back');
    const walked = await walkBackOnce(tx, version, scripts, effects, { ...options, known });
    if (Array.isArray(walked)) return walked;
    // What the version writes over is learnt when it is applied again, and had to be noted before.
    await tx.unsafe('rollback to savepoint walk_back');
    for (const oid of walked.overlooked) known.add(oid);
  }
}

/** Tables that stay and that the version writes, though nobody has noted their rows. */
interface Overlooked {
  overlooked: string[];
}

async function walkBackOnce(
  tx: TransactionSql,
  version: string,
  { forward, back }: { forward: Script; back: Script },
  effects: readonly Effect[],
  { allowLoss, known }: { allowLoss: boolean; known: ReadonlySet<string> },
): Promise<MovedAside[] | Overlooked> {
  const brings = forward.inTransaction && forward.statements.some(mayBringRows);
  const settle = await moveAside(tx, version, effects, { allowLoss, brings });
  const views = await noteViews(tx, version);
  const run = () => runWayBack(tx, back, effects);
  const wayBack = back.statements.some(mayChangeRows) ? run : undefined;
  const touched = wayBack || known.size > 0 ? await noteTouched(tx, effects, { wayBack, known }) : [];
  const before = await readStructure(tx);
  await run();
  await forgetSettings(tx);
  const moved = await settle();
  moved.push(...(await keepChanged(tx, version, touched)));
  await views();
  const writes = forward.inTransaction && forward.statements.some(mayChangeRows);
  const rehearsed = forward.inTransaction
    ? await rehearse(tx, version, forward, touched, {
        allowLoss,
        brings,
        before: writes ? before : undefined,
      })
    : [];
  if (!Array.isArray(rehearsed)) return rehearsed;
  await forgetNotes(tx, touched);
  return [...moved.filter(({ object }) => !rehearsed.some((other) => other.object === object)), ...rehearsed];
}

function mayChangeRows(statement: Statement): boolean {
  return mayBringRows(statement) || 'TruncateStmt' in statement.tree;
}

/** Whether it says something of the version, and not of what else is going on. */
function isAnswer(error: unknown): error is Problem {
  return error instanceof Problem && !['locked', 'connection-lost'].includes(error.code);
}

/** What a file has set must not change how rows are moved, nor what comes after it. */
async function forgetSettings(tx: TransactionSql): Promise<void> {
  await tx.unsafe('reset role; set local search_path to default');
}

/** A value is none of the enum. */
const INVALID_TEXT = '22P02';

/**
 * Where the way back says itself what becomes of an enum value that goes, that is done. Where it does not, it fails on
 * the first row that holds one: then these rows get another value first.
 */
async function runWayBack(tx: TransactionSql, script: Script, effects: readonly Effect[]): Promise<void> {
  await tx.unsafe('savepoint way_back');
  try {
    await runStatements(tx, script);
  } catch (error) {
    if (!(error instanceof Problem) || sqlState(error) !== INVALID_TEXT) throw error;
    await tx.unsafe('rollback to savepoint way_back');
    if (!(await replaceLostValues(tx, effects))) throw error;
    await runStatements(tx, script);
  }
}

/**
 * Applies the version once more and gives that up again: what it brings by itself is remembered, and what could not come
 * back refuses the way back. Values that it writes over are kept, and then it is tried once more. `before`: the tables at the
 * version, where it may write rows of them.
 */
async function rehearse(
  tx: TransactionSql,
  version: string,
  script: Script,
  touched: readonly Touched[],
  { allowLoss, brings, before }: { allowLoss: boolean; brings: boolean; before: Structure | undefined },
): Promise<MovedAside[] | Overlooked> {
  const moved: MovedAside[] = [];
  let brought: Awaited<ReturnType<Return['readBrought']>> = [];
  for (let missing: Missing['values'] | undefined; missing === undefined || missing.length > 0; ) {
    const isLast = missing !== undefined;
    for (const { touched: one, column } of missing ?? [])
      moved.push(await keepValues(tx, version, one, column, { all: true }));
    await tx.unsafe('savepoint rehearsal');
    const back = await Return.prepare(tx, version);
    if (back.isEmpty && touched.length === 0 && !before) return moved;
    missing = [];
    try {
      const written = await tablesWritten(tx, await stayed(tx, before), () => back.run(script));
      const overlooked = written.filter((oid) => !touched.some(({ relation }) => relation.oid === oid));
      if (overlooked.length > 0) return { overlooked };
      await forgetSettings(tx);
      if (brings) brought = await back.readBrought(script);
      const returned = await back.finish();
      const found = returned.isPostponed ? undefined : await missingIn(tx, touched);
      if (!isLast) missing = found?.values ?? [];
      expectWhole(returned, [
        ...(found?.rows ?? []),
        ...(isLast ? (found?.values ?? []).map(otherValues) : []),
      ]);
    } catch (error) {
      if (!isAnswer(error)) throw error;
      if (!allowLoss) throw wouldNotComeBack(error);
    }
    await tx.unsafe('rollback to savepoint rehearsal');
  }
  for (const { id, ...prints } of brought) await rememberBrought(tx, id, prints);
  return moved;
}

/** Of these tables those that are still there. */
async function stayed(tx: TransactionSql, before: Structure | undefined): Promise<Structure> {
  return new Map(before ? [...(await readStructure(tx))].filter(([oid]) => before.has(oid)) : []);
}

/** Nobody has written meanwhile, so that nothing may stay. */
function expectWhole({ putBack }: Returned, gone: readonly string[]): void {
  const reasons = [
    ...putBack
      .filter(({ left, newer }) => left + newer > 0)
      .map(({ object, left, newer }) => `${left + newer} of ${object} would stay behind`),
    ...gone,
  ];
  if (reasons.length > 0) throw new Problem('kept-does-not-fit', `${reasons.join('; ')}.`);
}

function wouldNotComeBack(error: Problem): Problem {
  return new Problem(
    'would-not-come-back',
    `Tried in this transaction, the version could not be applied again with what it would leave behind. ${error.message}`,
    'Nothing was changed. Fix the way back or the version, so that the one undoes the other; or take the loss: --allow-data-loss.',
    { cause: error },
  );
}
