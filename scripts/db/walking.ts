/** A version forward and back within a transaction, with what is kept of it. */
import type { TransactionSql } from 'postgres';
import { mayBringRows } from '../sql/kinds.ts';
import { type MovedAside, moveAside } from './aside.ts';
import { Return, type Returned } from './back.ts';
import { rememberBrought } from './brought.ts';
import { noteViews } from './computed.ts';
import { forgetNotes, goneForGood, type Losing, noteDeleting } from './deleted.ts';
import { replaceLostValues } from './lost-values.ts';
import { Problem, sqlState } from './problem.ts';
import { runStatements, type Script } from './running.ts';
import type { Effect } from './structure.ts';

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
  const settle = await moveAside(tx, version, effects, { allowLoss, brings });
  const views = await noteViews(tx, version);
  const losing = allowLoss ? [] : await noteDeleting(tx, back, () => runWayBack(tx, back, effects));
  await runWayBack(tx, back, effects);
  await forgetSettings(tx);
  const moved = await settle();
  await views();
  if (forward.inTransaction) await rehearse(tx, version, forward, losing, { allowLoss, brings });
  await forgetNotes(tx, losing);
  return moved;
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
 * back refuses the way back.
 */
async function rehearse(
  tx: TransactionSql,
  version: string,
  script: Script,
  losing: Losing,
  { allowLoss, brings }: { allowLoss: boolean; brings: boolean },
): Promise<void> {
  await tx.unsafe('savepoint rehearsal');
  const back = await Return.prepare(tx, version);
  if (back.isEmpty && losing.length === 0) return;
  let brought: Awaited<ReturnType<Return['readBrought']>> = [];
  try {
    await back.run(script);
    await forgetSettings(tx);
    if (brings) brought = await back.readBrought(script);
    const returned = await back.finish();
    expectWhole(returned, returned.isPostponed ? [] : await goneForGood(tx, losing));
  } catch (error) {
    const isAnswer = error instanceof Problem && !['locked', 'connection-lost'].includes(error.code);
    if (!isAnswer) throw error;
    if (!allowLoss) throw wouldNotComeBack(error);
  }
  await tx.unsafe('rollback to savepoint rehearsal');
  for (const { id, ...prints } of brought) await rememberBrought(tx, id, prints);
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
