/** How a plan that widens keys is laid out: stages, and the SQL of rows whose sides differ. */
import type { Column, Source } from '../source.ts';
import type { Constraint, Widened, WidenedTable, Widening } from './widening.ts';

/** The suffix of what belongs to a stage. */
export const suffix = (stage: number): string => (stage > 1 ? `_${stage}` : '');

export interface Layout {
  /** Tables that are walked, in order of their stages. */
  walked: { table: WidenedTable; stage: number; keyType: Source['keyType'] }[];
  /** Tables whose rows go with the row of the source that they refer to. */
  riding: WidenedTable[];
  /** The number of the stage that a rollback takes back first. */
  last: number;
}

export function layoutOf({ tables }: Widening): Layout {
  const walked: Layout['walked'] = [];
  for (const table of tables) {
    if (table.walk) walked.push({ table, stage: walked.length + 1, keyType: table.walk.keyType });
  }
  return { walked, riding: tables.filter(({ walk }) => !walk), last: walked.length + 1 };
}

/** By what a row is found. */
export const keyOf = ({ walk, primaryKey }: WidenedTable): Column[] => (walk ? [walk.key] : primaryKey);

/** SQL: whether a twin of a row differs. */
export const differ = (widened: readonly Widened[], alias: string): string =>
  widened
    .map(({ column, twin }) => `${alias}.${twin.quoted} is distinct from ${alias}.${column.quoted}`)
    .join(' or ');

/** Whether it is changed by itself alone. */
export const isOwn = ({ isReferred, isAlways }: Widened): boolean => isReferred || isAlways;

export const forward = (widened: readonly Widened[], alias: string): string =>
  widened.map(({ column, twin }) => `${twin.quoted} = ${alias}.${column.quoted}`).join(', ');

/** SQL of the former value of a row as its twin has it: fails where that is too large. */
export const narrowed = ({ column, twin }: Widened, alias: string): string =>
  `${alias}.${twin.quoted}::${column.type}`;

/** Constraints that are valid, and have to be again. */
export const proved = ({ constraints }: Widening): Constraint[] =>
  constraints.filter(({ definition }) => !definition.endsWith(' NOT VALID'));
