/** What was added, changed, removed and left alone, for people and for machines. */
import path from 'node:path';
import { counted } from '../command/figures.ts';
import { lineBreak } from '../command/printable.ts';
import { writeText } from '../command/streams.ts';
import type { Terminal } from '../command/terminal.ts';
import { packageFolder, userFolder } from '../package.ts';
import type { Change } from './changes.ts';
import type { Options } from './options.ts';
import { uninstallName } from './parts.ts';
import type { Problem } from './problem.ts';
import { type Project, places } from './project.ts';
import type { Work } from './work.ts';

export interface Said {
  project: Project;
  work: Work;
  options: Options;
  exitCode: number;
}

/** The list of files on stdout; what it means and what to do next on stderr. */
export function say(said: Said, terminal: Terminal): void {
  const { project, work, options } = said;
  terminal.info(`Project: ${terminal.paint.bold(project.folder)}`);
  for (const { verb, file } of gathered(listed(work.changes))) {
    writeText(`${verb.padEnd(8)} ${file}`);
  }
  for (const { file, reason } of work.kept) {
    writeText(`${'kept'.padEnd(8)} ${file} (${reason})`);
  }
  const lines = [summary(said), ...next(said).map((line) => `  ${line}`)];
  terminal.info(lines.join(lineBreak));
  if (said.exitCode === 3) {
    terminal.warn(
      options.uninstall
        ? 'What you have edited is left to you: remove it when nothing else needs it.'
        : 'Something newer could not be put in place of what is there: see what was kept.',
    );
  }
}

/** The one object of --json. */
export function outcome(said: Said): Record<string, unknown> {
  const { project, work, options, exitCode } = said;
  const files = (wanted: string): string[] =>
    listed(work.changes).flatMap(({ verb, file }) => (verb === wanted ? [file] : []));
  return {
    type: 'result',
    status: exitCode === 3 ? 'left' : work.changes.length === 0 ? 'unchanged' : 'done',
    exit_code: exitCode,
    message: summary(said),
    project: project.folder,
    dry_run: options.dryRun,
    added: files('added'),
    changed: files('changed'),
    removed: files('removed'),
    kept: work.kept,
    unchanged: work.unchanged,
    plans: work.plans,
    next: next(said),
  };
}

/** The same for what was refused. */
export function refusal({ code, message, hint }: Problem) {
  return { type: 'result', status: 'refused', exit_code: 2, message, error: { code, message, hint } };
}

type Entry = ReturnType<typeof listed>[number];

/** Many files of one folder as one line. */
function gathered(entries: readonly Entry[]): { verb: string; file: string }[] {
  const groups = Map.groupBy(entries, ({ verb, file }) => `${verb} ${path.dirname(file)}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group as [Entry];
    if (group.length <= several) return group;
    return { verb: first.verb, file: `${path.dirname(first.file)}/ (${group.length} files)` };
  });
}

/** So many files of a folder are named each. */
const several = 4;

function listed(changes: readonly Change[]): { verb: 'added' | 'changed' | 'removed'; file: string }[] {
  return changes
    .map(({ file, before, after }) => ({
      verb:
        after === undefined
          ? ('removed' as const)
          : before === undefined
            ? ('added' as const)
            : ('changed' as const),
      file,
    }))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
}

function summary({ work, options }: Said): string {
  if (work.changes.length === 0) {
    return options.uninstall
      ? 'Nothing to do: the migration that removes Imago is there.'
      : `Nothing to do: ${counted(work.unchanged, 'file')} of Imago as this package has them.`;
  }
  const counts = (['added', 'changed', 'removed'] as const).flatMap((verb) => {
    const count = listed(work.changes).filter((entry) => entry.verb === verb).length;
    return count > 0 ? [`${count} ${verb}`] : [];
  });
  return options.dryRun
    ? `Would be ${counts.join(', ')}. Nothing was written.`
    : `Files: ${counts.join(', ')}.`;
}

function next({ work, options }: Said): string[] {
  if (work.changes.length === 0 || options.dryRun) return [];
  const pushes = work.changes.some(({ file }) => file.startsWith(places.migrations));
  const functions = work.changes.some(({ file }) => file.startsWith(places.functions));
  const removes = work.changes.some(({ file }) => file.endsWith(`_${uninstallName}.sql`));
  // A clone is no package of the project, where npx would find nothing.
  const imago = userFolder() === packageFolder ? 'npm run imago --' : 'npx --no imago';
  return [
    ...(pushes ? ['npx supabase db push'] : []),
    ...(functions && work.functions.length > 0
      ? [`npx supabase functions ${options.uninstall ? 'delete' : 'deploy'} ${work.functions.join(' ')}`]
      : []),
    ...(pushes && !removes
      ? [
          'cp .env.example .env    and set SUPABASE_URL and SUPABASE_SECRET_KEY in it',
          `${imago} doctor`,
          `${imago} migrate --dry-run=preflight`,
        ]
      : []),
  ];
}
