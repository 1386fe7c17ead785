/** Statements of our own between two catalogs: for what `supabase db diff` does not see, or would do by making a table again. */
import type { Sql, TransactionSql } from 'postgres';
import { type Statement, splitStatements } from '../sql/statements.ts';
import type { Catalog } from './catalog.ts';

/** What makes one thing so; all of it is run, or nothing. */
type Step = string[];

/** What is still to be done where the first catalog is to become the second, as far as it can be written. */
export function supplement(from: Catalog, to: Catalog): string[] {
  return stepsBetween(from, to).flat();
}

/** What comes before all else, where it can: others may stand on it, or tables would be dropped for it. */
export function firstSteps(from: Catalog, to: Catalog): Step[] {
  const isFirst = (aspect: string) => isWhole(aspect) || /^(owned by$|inherits )/.test(aspect);
  return stepsBetween(from, to, isFirst);
}

/** Takes these steps as far as they can be taken yet: others stand on what comes later. Gives both. */
export async function takeSteps(
  sql: Sql | TransactionSql,
  steps: readonly Step[],
): Promise<{ taken: Statement[]; left: Step[] }> {
  const taken: string[] = [];
  const left: Step[] = [];
  for (const step of steps) {
    const run = (tx: TransactionSql) => tx.unsafe(step.join(';\n'));
    const isTaken = await ('savepoint' in sql ? sql.savepoint(run) : sql.begin(run)).then(
      () => true,
      () => false,
    );
    if (isTaken) taken.push(...step);
    else left.push(step);
  }
  return { taken: splitStatements(taken.join(';\n')), left };
}

/**
 * Runs statements, and where one fails takes the steps that it may be waiting for; gives all in their order. What is to become of
 * another one that fails is said by `failed`, which throws, or leaves it out.
 */
export async function runWoven(
  sql: Sql,
  statements: readonly Statement[],
  steps: readonly Step[],
  failed: (error: unknown, statement: Statement) => void,
): Promise<Statement[]> {
  const run: Statement[] = [];
  let waiting = steps;
  await sql.begin(async (tx) => {
    // Bodies may name what comes after them.
    await tx`set local check_function_bodies = off`;
    const attempt = async (statement: Statement): Promise<unknown> =>
      await tx
        .savepoint((nested) => nested.unsafe(statement.text))
        .then(
          () => run.push(statement) && undefined,
          (error) => error,
        );
    for (const statement of statements) {
      let error = await attempt(statement);
      if (error !== undefined && waiting.length > 0) {
        const { taken, left } = await takeSteps(tx, waiting);
        run.push(...taken);
        waiting = left;
        if (taken.length > 0) error = await attempt(statement);
      }
      if (error !== undefined) failed(error, statement);
    }
  });
  return run;
}

/** All steps. What goes is first, in the order of names, what comes in the other: configurations stand on dictionaries. */
export function stepsBetween(
  from: Catalog,
  to: Catalog,
  isWanted: (aspect: string) => boolean = () => true,
): Step[] {
  const gone = [...from].sort().flatMap(([name, { aspects }]) => {
    const after = to.get(name)?.aspects;
    const isOther = (aspect: string) => after?.get(aspect)?.value !== aspects.get(aspect)?.value;
    const take = (aspect: string) => [aspects.get(aspect)?.take ?? []].flat();
    const [whole] = take('definition');
    // All that is said of an object goes with it.
    if (!after || (whole && isOther('definition'))) return whole && isWanted('definition') ? [[whole]] : [];
    return [...aspects.keys()]
      .filter((aspect) => !after.has(aspect) || (isWhole(aspect) && isOther(aspect)))
      .filter(isWanted)
      .flatMap(take)
      .map((step) => [step]);
  });
  const made = [...to]
    .sort()
    .toReversed()
    .flatMap(([name, { aspects }]) => {
      const before = from.get(name)?.aspects;
      const isNew = (aspect: string) => aspects.get(aspect)?.value !== before?.get(aspect)?.value;
      const put = (aspect: string) => [aspects.get(aspect)?.put ?? []].flat();
      const [whole] = put('definition');
      const others = [...aspects.keys()].filter((aspect) => aspect !== 'definition');
      if (whole && isNew('definition'))
        return isWanted('definition') ? [[whole, ...others.flatMap(put)]] : [];
      return before
        ? others
            .filter((aspect) => isNew(aspect) && isWanted(aspect))
            .flatMap(put)
            .map((step) => [step])
        : [];
    });
  return [...gone, ...made];
}

/** Whether it has to be taken away before it can be another one. */
function isWhole(aspect: string): boolean {
  return aspect === 'definition' || /^(partition of|mapping for) /.test(aspect);
}
