/** Writes what is new of plans as migrations of the project, each tried and proved before. */
import type { Sql } from 'postgres';
import { nextVersion } from '../db/project.ts';
import { numbered } from '../install/add.ts';
import { apply, type Change, expectWritable } from '../install/changes.ts';
import { installedParts } from '../install/installed.ts';
import { expectFree, neededNames } from '../install/names.ts';
import { readParts } from '../install/parts.ts';
import { places, type SqlFile } from '../install/project.ts';
import { differences, readState, type State, wayBetween } from './difference.ts';
import { reason } from './finding.ts';
import { Problem } from './problem.ts';
import {
  asMigration,
  migrationText,
  type Plan,
  type Project,
  plansFolder,
  readMark,
  wholeText,
} from './project.ts';
import { engineOf, runAll, runPlan } from './schema.ts';
import type { Scratch } from './scratch.ts';

/** What build does for one plan. */
export interface Step {
  plan: string;
  /** The migration, from the project's folder; none where there is nothing new. */
  file: string | undefined;
  /** Each in a few words. */
  changes: string[];
  /** What the person who pushes it should know. */
  remarks: string[];
}

export interface Work {
  changes: Change[];
  steps: Step[];
}

/** Works out the migrations. Writes nothing. */
export async function planWork(
  project: Project,
  plans: readonly Plan[],
  scratch: () => Promise<Scratch>,
): Promise<Work> {
  const bodies: { plan: Plan; body: string | undefined; changes: string[]; remarks: string[] }[] = [];
  for (const plan of plans) {
    if (plan.standing === 'built') bodies.push({ plan, body: undefined, changes: [], remarks: [] });
    else if (plan.standing === 'new') bodies.push({ plan, ...(await begin(project, plan, await scratch())) });
    else bodies.push({ plan, ...(await goOn(project, plan, await scratch())) });
  }
  const engine = bodies.some(({ body }) => body !== undefined) ? missingEngine(project) : [];
  const versions: { version: string }[] = [
    ...project.migrations,
    ...engine.map(({ file }) => ({ version: /\/(\d+)_/.exec(file)?.[1] ?? '' })),
  ];
  const changes = [...engine];
  const steps = bodies.map(({ plan, body, ...said }): Step => {
    if (body === undefined) return { plan: plan.name, file: undefined, ...said };
    const version = nextVersion(versions);
    versions.push({ version });
    const count = project.migrations.filter(({ text }) => readMark(text)?.plan === plan.name).length;
    const file = `${places.migrations}/${version}_imago_plan_${plan.name}${count > 0 ? `_${count + 1}` : ''}.sql`;
    changes.push({ file, before: undefined, after: asMigration(plan, body) });
    return { plan: plan.name, file, ...said };
  });
  return { changes, steps };
}

/** Writes them: all of them or none. */
export async function write(project: Project, { changes }: Work): Promise<void> {
  expectWritable(project.folder, changes);
  await apply(project.folder, changes);
}

/** A project without Imago gets the engine, for the plan stands on it. */
function missingEngine(project: Project): Change[] {
  if (installedParts(project).length > 0) return [];
  const engine = readParts().filter(({ plan }) => plan === undefined);
  expectFree(neededNames(engine), [...project.migrations, ...project.models]);
  return numbered(project, engine);
}

interface Said {
  body: string | undefined;
  changes: string[];
  remarks: string[];
}

/** The first migration of a plan, once it has been run behind all others. */
async function begin(project: Project, plan: Plan, scratch: Scratch): Promise<Said> {
  await withDatabase(scratch, async (sql) => {
    await runAll(sql, [...project.migrations, ...packageEngine(project)]);
    await runPlan(sql, plan);
  });
  return { body: wholeText(plan.sources), changes: ['all of it'], remarks: [] };
}

/** What has changed since, as one more migration that has been run and compared with the sources. */
async function goOn(project: Project, plan: Plan, scratch: Scratch): Promise<Said> {
  const should = await withDatabase(scratch, async (sql) => {
    // A plan touches nothing of the app when it is pushed, so that the engine is all that its sources need.
    await runAll(sql, engineOf(project));
    await runPlan(sql, plan);
    return await readState(sql, plan.name);
  });
  return await withDatabase(scratch, async (sql) => {
    await runAll(sql, [...packageEngine(project), ...project.migrations]);
    const is = await readState(sql, plan.name);
    if (differences(is, should).length === 0) return { body: undefined, changes: [], remarks: [] };
    const { sections, changes } = wayBetween(plan.name, is, should, plan.sources);
    const body = migrationText(sections);
    await sql
      .begin((tx) => tx.unsafe(body))
      .catch((cause) => {
        throw notProven(plan, [`it fails (${reason(cause)})`], cause);
      });
    const wrong = differences(await readState(sql, plan.name), should);
    if (wrong.length > 0) throw notProven(plan, wrong);
    return { body, changes, remarks: remarksOn(plan, should, changes, sections) };
  });
}

async function withDatabase<T>(scratch: Scratch, work: (sql: Sql) => Promise<T>): Promise<T> {
  const { sql, drop } = await scratch.database();
  return await work(sql).finally(drop);
}

/** The engine of the package, where no migration of the project brings it. */
function packageEngine(project: Project): SqlFile[] {
  return installedParts(project).length > 0 ? [] : engineOf(project);
}

function notProven(plan: Plan, wrong: readonly string[], cause?: unknown): Problem {
  const named = wrong.slice(0, 6).join(', ');
  return new Problem(
    'not-proven',
    `Build cannot write what leads to ${plansFolder}/${plan.name}/: ${named}${wrong.length > 6 ? ', …' : ''}.`,
    'It writes changes of functions and of the registration. Write these by hand, as a migration of your own (npx supabase migration new), and build again.',
    { cause },
  );
}

function remarksOn(
  plan: Plan,
  should: State,
  changes: readonly string[],
  sections: readonly string[],
): string[] {
  const prepares = should.rows
    .filter(({ table, columns }) => table === 'plan_step' && columns.phase === 'prepare')
    .map(({ columns }) => `function ${plan.name}.${columns.routine}(`);
  return [
    ...(sections[0]?.startsWith('do ') === true
      ? [
          `Where ${plan.name} is prepared already, the push stops at this file and changes nothing: take the plan back first, or finalize it.`,
        ]
      : []),
    ...(changes.some((change) => prepares.some((routine) => change.includes(routine)))
      ? [`Where ${plan.name} is prepared already, its prepare steps are not done again.`]
      : []),
  ];
}
