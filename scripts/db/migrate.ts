/** `db migrate "message"`: the next version and its way back, from what the models say. */

import { printable } from '../command/printable.ts';
import { type Statement, splitStatements } from '../sql/statements.ts';
import { type Catalog, compareCatalogs, type Difference, describeDifference, essential } from './catalog.ts';
import type { Context, Ending } from './context.ts';
import { dropsOfDependents } from './dependents.ts';
import { diffKnown } from './diff.ts';
import { readable } from './names.ts';
import { Problem, sqlState } from './problem.ts';
import { folders, nextVersion, type Project, readProject, slug, writeVersion } from './project.ts';
import { type Candidate, type Renamed, renameDerived, renameIn } from './renames.ts';
import { isRefused, type Risk, risksOf } from './risks.ts';
import { describeFailure } from './running.ts';
import { Shadow } from './shadow.ts';
import type { Effect } from './structure.ts';
import { firstSteps, runWoven, supplement, takeSteps } from './supplement.ts';
import { type Marked, oneLine, versionText, wayBackText, withLateNotNull } from './writing.ts';

/** A version as it will be written. */
interface Draft {
  up: Marked[];
  down: Statement[];
  /** What the way back does to what is there. */
  undone: Effect[];
}

export async function migrate(context: Context): Promise<Ending> {
  const { options, folder, terminal } = context;
  const message = options.argument ?? '';
  const project = await readProject(folder);
  if (options.empty) return await writeEmpty(project, message);
  expectModels(project);

  terminal.info(
    `Comparing ${counted(project.models.length, 'model file')} with ${counted(project.versions.length, 'version')} …`,
  );
  const shadows = await context.shadows();
  const made: Shadow[] = [];
  const keep = (shadow: Shadow): Shadow => {
    made.push(shadow);
    return shadow;
  };
  try {
    const migrated = keep(await Shadow.create(shadows));
    await migrated.apply(project.versions);
    const modelled = keep(await Shadow.create(shadows));
    await buildModels(modelled, project);

    const renamed = keep(await migrated.copy());
    const candidates: Candidate[] = [];
    const renames = await renameIn(renamed.sql, modelled.sql, options.rename, async (candidate) => {
      candidates.push(candidate);
      return (await context.ask?.(question(candidate))) ?? false;
    });
    const derived = await renameDerived(renamed.sql, modelled.sql);
    const [before, after] = [await renamed.catalog(), await modelled.catalog()];
    const [ahead, backward] = [
      await between(keep, renamed, modelled),
      await between(keep, modelled, renamed),
    ];
    for (const shadow of made) await shadow.rest();
    const [forward, back] = await Promise.all([ahead(), backward()]);
    const saw = [...renames.map(sawRename), ...essential(compareCatalogs(before, after)).map(sawDifference)];
    if (forward.length + renames.length + derived.length + saw.length === 0) return nothing(project);

    const steps = [...renames, ...derived];
    const first = splitStatements(steps.map(({ up }) => up).join(';\n'));
    const last = splitStatements(
      steps
        .map(({ down }) => down)
        .reverse()
        .join(';\n'),
    );
    const drafts = await prove({
      keep,
      migrated,
      renamed,
      modelled,
      forward: [...first, ...forward],
      back,
      unrename: last,
    });
    return await write(context, project, message, saw, drafts, candidates, renames);
  } finally {
    for (const shadow of made) await shadow.drop();
  }
}

/** Models stand on Imago's own versions, which no model describes. */
export async function buildModels(shadow: Shadow, project: Project): Promise<void> {
  await shadow.apply(project.versions.filter(({ imago }) => imago));
  await shadow.load(project.models);
}

function expectModels(project: Project): void {
  if (project.models.length > 0) return;
  throw new Problem(
    'no-models',
    `There is no .sql file in ${folders.models}.`,
    'Put create statements of what you want there, one file a table or as you like; or write a version by hand: migrate --empty "message".',
  );
}

interface Proof {
  keep: (shadow: Shadow) => Shadow;
  migrated: Shadow;
  /** Like it, with everything renamed. */
  renamed: Shadow;
  modelled: Shadow;
  forward: Statement[];
  back: Statement[];
  /** The renames, taken back. */
  unrename: Statement[];
}

/** What gives the statements from one database to the other, once nobody is connected to them. */
async function between(keep: Proof['keep'], from: Shadow, to: Shadow): Promise<() => Promise<Statement[]>> {
  const drops = await dropsOfDependents(from.sql, to.sql);
  const [before, after] = [await from.catalog(), await to.catalog()];
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
async function prove(proof: Proof): Promise<Draft[]> {
  const { keep, migrated, modelled } = proof;
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
  const rest = await measureRest(shadow, modelled, 'the version');
  const more = rest.map(({ text }) => ({ text, risks: [] }));
  if (more.length > 0) ups.push([...(ups.pop() ?? []), ...more]);
  expectEqual(await shadow.catalog(), await modelled.catalog(), 'the models');

  const drafts: Draft[] = [];
  for (const [index, up] of [...ups.entries()].reverse()) {
    const back = await wayBack(proof, states, index);
    const { statements, net } = await measure(shadow, 'the way back', back, { each: false });
    const before = states[index - 1] ?? migrated;
    const rest = await measureRest(shadow, before, 'the way back');
    expectEqual(await shadow.catalog(), await before.catalog(), 'the version before');
    drafts.unshift({ up, down: [...statements.map(({ statement }) => statement), ...rest], undone: net });
  }
  return drafts;
}

/** Runs, and gives, what is left to do when all has been done that `supabase db diff` writes. */
async function measureRest(shadow: Shadow, goal: Shadow, file: string): Promise<Statement[]> {
  const rest = splitStatements(supplement(await shadow.catalog(), await goal.catalog()).join(';\n'));
  if (rest.length > 0) await measure(shadow, file, rest, { each: false });
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
  const diff = await between(keep, from, to);
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
      `What supabase db diff gives cannot be run: ${describeFailure(error)}`,
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

async function write(
  context: Context,
  project: Project,
  message: string,
  saw: string[],
  drafts: Draft[],
  candidates: Candidate[],
  renames: Renamed[],
): Promise<Ending> {
  const risks = drafts.flatMap(({ up }) => up.flatMap((statement) => statement.risks));
  const refused = risks.filter(isRefused);
  if (refused.length > 0 && !context.options.allowDataLoss)
    throw dataLoss(refused, candidates, renames, context.program);

  const files: string[] = [];
  const versions = [...project.versions];
  for (const [index, { up, down, undone }] of drafts.entries()) {
    const version = nextVersion(versions);
    const name = slug(message) + (drafts.length > 1 ? `_${index + 1}` : '');
    const title = drafts.length > 1 ? `${message} (${index + 1} of ${drafts.length})` : message;
    const text = versionText(title, index === 0 ? saw : [], up);
    const back = wayBackText(title, down, undone);
    files.push(...(await writeVersion(project.folder, version, name, { up: text, down: back })));
    versions.push({ version } as Project['versions'][number]);
  }
  return {
    status: 'done',
    message: `Wrote ${files.join(' and ')}.`,
    lines: [
      ...saw,
      ...risks.map((risk) => `${risk.kind}: ${[risk.text, ...advice(risk, context.program)].join('. ')}`),
    ],
    next: [`Read them, then apply: ${context.program} upgrade`],
    data: {
      files,
      saw,
      risks,
      renames: renames.map(({ kind, from, to }) => ({ kind, from: readable(...from), to: readable(...to) })),
    },
  };
}

function dataLoss(refused: Risk[], candidates: Candidate[], renames: Renamed[], program: string): Problem {
  const denied = candidates.filter(
    (candidate) => !renames.some(({ from }) => readable(...from) === readable(...candidate.from)),
  );
  return new Problem(
    'data-loss',
    ['These would lose data or rewrite a table:', ...refused.map((risk) => `  ${printable(risk.text)}`)].join(
      '\n',
    ),
    [
      ...denied.map(({ from, to }) =>
        printable(`Was it renamed? --rename ${readable(...from)}=${readable(...to)}`),
      ),
      ...new Set(refused.flatMap((risk) => advice(risk, program)).map(printable)),
      'Do it all the same, in one go: --allow-data-loss. Nothing was written.',
    ].join('\n'),
  );
}

/** The plan that would do it while the app goes on. */
function advice(risk: Risk, program: string): string[] {
  const { object, table, key } = risk;
  // A plan walks a table by one column.
  if (key === undefined || (!isRefused(risk) && risk.kind !== 'fails on rows')) return [];
  const name = slug(object.replace(/^public\./, ''));
  return [
    `Online, in batches, with a way back: ${program.replace(/\bdb(?=(\.ts)?( --)?$)/, 'plan')} new ${name} --source ${inShell(table)} --key ${inShell(key)}`,
  ];
}

/** As a shell hands it over unchanged. */
function inShell(text: string): string {
  return /^[\w.]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function question({ kind, from, to, because }: Candidate): string {
  return `Was ${kind} ${readable(...from)} renamed to ${readable(...to)} (${because})?`;
}

function sawRename({ kind, from, to }: Renamed): string {
  return `renamed ${kind} ${readable(...from)} to ${readable(...to)}`;
}

function sawDifference(difference: Difference): string {
  return `${difference.change} ${describeDifference(difference)}`;
}

function nothing(project: Project): Ending {
  const files = project.models.map(({ file }) => file);
  return {
    status: 'done',
    message: 'The models say what the versions say: nothing was written.',
    lines: [`Read: ${files.join(', ')}.`],
    data: { files: [], saw: [], read: files },
  };
}

async function writeEmpty(project: Project, message: string): Promise<Ending> {
  const version = nextVersion(project.versions);
  const files = await writeVersion(project.folder, version, slug(message), {
    up: `-- ${oneLine(message)}\n`,
    down: `-- The way back of: ${oneLine(message)}\n`,
  });
  return {
    status: 'done',
    message: `Wrote ${files.join(' and ')}, to be filled by hand.`,
    data: { files, saw: [] },
  };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
