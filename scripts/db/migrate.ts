/** `db migrate "message"`: the next version and its way back, from what the models say. */

import { printable } from '../command/printable.ts';
import { splitStatements } from '../sql/statements.ts';
import { compareCatalogs, type Difference, describeDifference, essential } from './catalog.ts';
import type { Context, Ending } from './context.ts';
import { readable } from './names.ts';
import { Problem } from './problem.ts';
import { folders, nextVersion, type Project, readProject, slug, writeVersion } from './project.ts';
import { between, type Draft, prove } from './proving.ts';
import { type Candidate, type Renamed, renameDerived, renameIn } from './renames.ts';
import { isRefused, type Risk } from './risks.ts';
import { Shadow } from './shadow.ts';
import { oneLine, versionText, wayBackText } from './writing.ts';

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
    const ahead = await between(keep, renamed, modelled, [before, after]);
    const backward = await between(keep, modelled, renamed, [after, before]);
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
      goal: after,
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
