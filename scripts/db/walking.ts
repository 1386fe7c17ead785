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
import type { Effect } from './structure.ts';
import {
  forgetNotes,
  keepChanged,
  keepValues,
  type Missing,
  missingIn,
  noteTouched,
  otherValues,
  type Touched,
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
  { forward, back }: { forward: Script; back: Script },
  effects: readonly Effect[],
  { allowLoss }: { allowLoss: boolean },
): Promise<MovedAside[]> {
  const brings = forward.inTransaction && forward.statements.some(mayBringRows);
  await retire(tx, version);
  const settle = await moveAside(tx, version, effects, { allowLoss, brings });
  const views = await noteViews(tx, version);
  const mayWrite = brings || back.statements.some(mayChangeRows);
  const wayBack = () => runWayBack(tx, back, effects);
  const again = () => (brings ? tryAgain(tx, forward) : Promise.resolve());
  const touched = !mayWrite ? [] : await noteTouched(tx, effects, { wayBack, again });
  await wayBack();
  await forgetSettings(tx);
  const moved = await settle();
  moved.push(...(await keepChanged(tx, version, touched)));
  await views();
  const late = forward.inTransaction
    ? await rehearse(tx, version, forward, touched, { allowLoss, brings })
    : [];
  await forgetNotes(tx, touched);
  return [...moved.filter(({ object }) => !late.some((other) => other.object === object)), ...late];
}

function mayChangeRows(statement: Statement): boolean {
  return mayBringRows(statement) || 'TruncateStmt' in statement.tree;
}

/** As far as it goes without what was kept: only which tables it writes is asked, and indexes write none. */
async function tryAgain(tx: TransactionSql, { file, inTransaction, statements }: Script): Promise<void> {
  await forgetSettings(tx);
  const writing = statements.filter(({ tree: { IndexStmt: index } }) => !index || index.unique === true);
  try {
    await runStatements(tx, { file, inTransaction, statements: writing });
  } catch (error) {
    if (!isAnswer(error)) throw error;
  }
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
 * back refuses the way back. Values that it writes over are kept, and then it is tried once more.
 */
async function rehearse(
  tx: TransactionSql,
  version: string,
  script: Script,
  touched: readonly Touched[],
  { allowLoss, brings }: { allowLoss: boolean; brings: boolean },
): Promise<MovedAside[]> {
  const moved: MovedAside[] = [];
  let brought: Awaited<ReturnType<Return['readBrought']>> = [];
  for (let missing: Missing['values'] | undefined; missing === undefined || missing.length > 0; ) {
    const isLast = missing !== undefined;
    for (const { touched: one, column } of missing ?? [])
      moved.push(await keepValues(tx, version, one, column, { all: true }));
    await tx.unsafe('savepoint rehearsal');
    const back = await Return.prepare(tx, version);
    if (back.isEmpty && touched.length === 0) return moved;
    missing = [];
    try {
      await back.run(script);
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
