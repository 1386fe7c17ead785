/** The statements of a version and of its way back, proved on shadows: they lead to the models, and back to where they came from. */
import { type Statement, splitStatements } from '../sql/statements.ts';
import { type Catalog, compareCatalogs, describeDifference } from './catalog.ts';
import { dropsOfDependents } from './dependents.ts';
import { diffKnown } from './diff.ts';
import { Problem, sqlState } from './problem.ts';
import { risksOf } from './risks.ts';
import { describeFailure } from './running.ts';
import type { Shadow } from './shadow.ts';
import type { Effect } from './structure.ts';
import { firstSteps, runWoven, supplement, takeSteps } from './supplement.ts';
import { type Marked, withLateNotNull } from './writing.ts';

/** A version as it will be written. */
export interface Draft {
  up: Marked[];
  down: Statement[];
  /** What the way back does to what is there. */
  undone: Effect[];
}

export interface Proof {
  keep: (shadow: Shadow) => Shadow;
  migrated: Shadow;
  /** Like it, with everything renamed. */
  renamed: Shadow;
  modelled: Shadow;
  /** What is in the models. */
  goal: Catalog;
  forward: Statement[];
  back: Statement[];
  /** The renames, taken back. */
  unrename: Statement[];
}

/** What gives the statements from one database to the other, once nobody is connected to them. */
export async function between(
  keep: Proof['keep'],
  from: Shadow,
  to: Shadow,
  [before, after]: [Catalog, Catalog],
): Promise<() => Promise<Statement[]>> {
  const drops = await dropsOfDependents(from.sql, to.sql);
  const diff = (url: string) => diffKnown({ url, catalog: before }, { url: to.url, catalog: after });
  const steps = firstSteps(before, after);
  if (drops.length + steps.length === 0) return () => diff(from.url);
  const copy = keep(await from.copy());
  for (const statement of drops) await copy.sql.unsafe(statement);
  const { taken, left } = await takeSteps(copy.sql, steps);
  const first = [...splitStatements(drops.join(';\n')), ...taken];
  await copy.rest();
  return async () => {
    const statements = await diff(copy.url);
    return [...first, ...(left.length === 0 ? statements : await woven(copy, statements, left))];
  };
}

/** With the steps where they are waited for. Where that is not why a statement fails, the proof will say why. */
async function woven(copy: Shadow, statements: Statement[], steps: string[][]): Promise<Statement[]> {
  const failed = (error: unknown) => {
    throw error;
  };
  return await runWoven(copy.sql, statements, steps, failed).catch(() => statements);
}

/** Runs forward and back on a copy, measures each statement, and compares what comes out. */
export async function prove(proof: Proof): Promise<Draft[]> {
  const { keep, migrated, goal } = proof;
  const shadow = keep(await migrated.copy());
  const states: Shadow[] = [];
  const ups: Marked[][] = [];
  let left = withLateNotNull(proof.forward);
  while (left.length > 0) {
    const { marked, count } = await measureLongest(shadow, left);
    ups.push(marked);
    left = left.slice(count);
    if (left.length > 0) states.push(keep(await shadow.copy()));
  }
  const rest = await measureRest(shadow, goal, 'the models');
  const more = rest.map(({ text }) => ({ text, risks: [] }));
  if (more.length > 0) ups.push([...(ups.pop() ?? []), ...more]);

  const drafts: Draft[] = [];
  for (const [index, up] of [...ups.entries()].reverse()) {
    const back = await wayBack(proof, states, index);
    const { statements, net } = await measure(shadow, 'the way back', back, { each: false });
    const before = states[index - 1] ?? migrated;
    const rest = await measureRest(shadow, await before.catalog(), 'the version before');
    drafts.unshift({ up, down: [...statements.map(({ statement }) => statement), ...rest], undone: net });
  }
  return drafts;
}

/** Runs, and gives, what is left to do when all has been done that `supabase db diff` writes: then all has to be as it should. */
async function measureRest(shadow: Shadow, goal: Catalog, what: string): Promise<Statement[]> {
  const is = await shadow.catalog();
  const rest = splitStatements(supplement(is, goal).join(';\n'));
  if (rest.length > 0) await measure(shadow, what, rest, { each: false });
  expectEqual(rest.length > 0 ? await shadow.catalog() : is, goal, what);
  return rest;
}

/** From the state after a part to the one before it. */
async function wayBack(
  { keep, renamed, modelled, back, unrename }: Proof,
  states: Shadow[],
  index: number,
): Promise<Statement[]> {
  const after = states[index] ?? modelled;
  const before = states[index - 1] ?? renamed;
  const statements = states.length === 0 ? back : await diffBetween(keep, after, before);
  return [...withLateNotNull(statements), ...(index === 0 ? unrename : [])];
}

async function diffBetween(keep: Proof['keep'], from: Shadow, to: Shadow): Promise<Statement[]> {
  const diff = await between(keep, from, to, [await from.catalog(), await to.catalog()]);
  await Promise.all([from.rest(), to.rest()]);
  return await diff();
}

/** As many statements as fit one version. A new enum value can be used once it is committed: what uses it is another one. */
async function measureLongest(
  shadow: Shadow,
  statements: Statement[],
): Promise<{ marked: Marked[]; count: number }> {
  const afterValues = [...statements.keys()].filter((index) => addsValue(statements[index - 1]));
  for (let ends = [...afterValues, statements.length]; ; ends = ends.slice(0, -1)) {
    const count = ends.at(-1) ?? 0;
    try {
      const measured = await measure(shadow, 'the version', statements.slice(0, count));
      const marked = measured.statements.map((item) => ({
        text: item.statement.text,
        risks: risksOf(item, measured.before),
      }));
      return { marked, count };
    } catch (error) {
      if (sqlState(error) !== '55P04' || ends.length === 1) throw error;
    }
  }
}

/** Whether an enum has a value more after it. */
function addsValue(statement: Statement | undefined): boolean {
  const { AlterEnumStmt: alter } = statement?.tree ?? {};
  return alter?.newVal !== undefined && alter.oldVal === undefined;
}

async function measure(
  shadow: Shadow,
  file: string,
  statements: readonly Statement[],
  options?: { each: boolean },
): ReturnType<Shadow['measure']> {
  // Bodies may name what comes after them.
  const first = statements.some(({ tree }) => tree.CreateFunctionStmt)
    ? ['set local check_function_bodies = off']
    : [];
  const text = [...first, ...statements.map(({ text }) => text)]
    .map((statement) => `${statement};`)
    .join('\n');
  try {
    return await shadow.measure({ file, text }, options);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new Problem(
      'not-proven',
      `The statements cannot be run: ${describeFailure(error)}`,
      'Nothing was written. Write this version by hand: migrate --empty "message".',
      { cause: error },
    );
  }
}

function expectEqual(is: Catalog, should: Catalog, what: string): void {
  const wrong = compareCatalogs(is, should);
  if (wrong.length === 0) return;
  const objects = wrong.slice(0, 10).map(describeDifference);
  throw new Problem(
    'not-proven',
    `The statements do not lead to ${what}: ${objects.join(', ')}${wrong.length > 10 ? ', …' : ''}.`,
    'Nothing was written. Write this version by hand: migrate --empty "message".',
  );
}
