/** Plans in the project of an app: a folder each, and the migrations that were built from it. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { findProject, typedIn } from '../db/project.ts';
import { readMigration, uninstallName } from '../install/parts.ts';
import { type Project as Installation, readProject as readInstallation } from '../install/project.ts';
import { packageFolder } from '../package.ts';
import { checksum } from '../sql/checksum.ts';
import { Problem } from './problem.ts';

/** Where plans are, from the project's folder. */
export const plansFolder = 'supabase/imago/plans';

/** Of a plan, in the order in which its migration has them; folders end in /. */
const parts = ['schema.sql', 'functions/', 'api/', 'registration.sql'] as const;

/** What is beside them and no part of the migration. */
const beside = /^(test\/|README)/;

/** One source of a plan. */
export interface Source {
  /** From the project's folder. */
  file: string;
  text: string;
}

/** A migration that build wrote. */
export interface Built {
  /** From the project's folder. */
  file: string;
  version: string;
  /** Of the sources that it led to. */
  sources: string;
  /** Version of the one that was the last when it was built; - of the first. */
  after: string;
  /** Whether somebody changed the file since. */
  isEdited: boolean;
}

/** A plan of the project. */
export interface Plan {
  name: string;
  sources: Source[];
  /** What was built of it, the oldest first; nothing that came before Imago was removed. */
  built: Built[];
  /** None where nothing was built. */
  standing: 'new' | 'built' | 'changed';
}

export type Project = Installation;

/** The project that is meant: the nearest folder upward from here that is one. */
export function readProject(workdir: string | undefined): Project {
  const start = path.resolve(typedIn(), workdir ?? '.');
  const folder = findProject(start);
  if (folder === undefined) {
    throw new Problem(
      'no-project',
      `There is no supabase/config.toml in ${start} or above it.`,
      'Go to the folder of your project, name it by --workdir, or make one here: npx supabase init',
    );
  }
  if (folder === packageFolder) {
    throw new Problem(
      'own-repository',
      'This is the folder of Imago itself, and a plan belongs to the project of its app.',
      'Name the folder of that project: --workdir ../my-project',
    );
  }
  return readInstallation(folder);
}

/** Names of the plans that have a folder. */
export function planNames(project: Project): string[] {
  const folder = path.join(project.folder, plansFolder);
  if (!isFolder(folder)) return [];
  return readdirSync(folder)
    .filter((name) => isFolder(path.join(folder, name)))
    .sort();
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Reads a plan; refuses one that is not whole. */
export function readPlan(project: Project, name: string): Plan {
  const names = planNames(project);
  if (!names.includes(name)) {
    throw new Problem(
      'no-such-plan',
      `There is no plan ${name}: ${plansFolder}/${name}/ is missing.`,
      names.length > 0 ? `There are: ${names.join(', ')}.` : 'Begin one with new.',
    );
  }
  const sources = readSources(project, name);
  const built = builtOf(project, name);
  return { name, sources, built, standing: standingOf(sources, built) };
}

function readSources(project: Project, plan: string): Source[] {
  const folder = path.join(project.folder, plansFolder, plan);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => file.endsWith('.sql') && !beside.test(file));
  const belongs = (file: string, part: string): boolean =>
    part.endsWith('/') ? file.startsWith(part) : file === part;
  const stray = files.find((file) => !parts.some((part) => belongs(file, part)));
  if (stray !== undefined) {
    throw new Problem(
      'bad-plan',
      `${plansFolder}/${plan}/${stray} stands where nothing is read.`,
      `A plan is made of ${parts.join(', ')}; what is for its tests stands in test/.`,
    );
  }
  for (const needed of ['schema.sql', 'registration.sql']) {
    if (!files.includes(needed)) {
      throw new Problem(
        'bad-plan',
        `${plansFolder}/${plan}/${needed} is missing.`,
        'It registers the plan; a new plan shows how.',
      );
    }
  }
  const name = (file: string) => path.posix.basename(file);
  return parts.flatMap((part) =>
    files
      .filter((file) => belongs(file, part))
      .sort((a, b) => (name(a) < name(b) ? -1 : 1))
      .map((file) => ({
        file: `${plansFolder}/${plan}/${file}`,
        text: readFileSync(path.join(folder, file), 'utf8').replaceAll('\r\n', '\n'),
      })),
  );
}

/** The line of a migration that says what it was built from. */
const mark =
  /^-- imago plan: (?<plan>\w+) sources:(?<sources>[0-9a-f]{16}) after:(?<after>\d+|-) text:(?<text>[0-9a-f]{64})$/m;

/** A migration of a plan as a file: it is known again by its second line. */
export function asMigration({ name, sources, built }: Plan, body: string): string {
  const after = built.at(-1)?.version ?? '-';
  return [
    `-- Built from ${plansFolder}/${name}/ by imago plan build. What you change there it writes as one more migration.`,
    `-- imago plan: ${name} sources:${sourcesSum(sources)} after:${after} text:${textSum(body)}`,
    body,
  ].join('\n');
}

/** The line of a migration that takes a plan out. */
const dropMark = /^-- imago plan: (?<plan>\w+) dropped$/m;

/** The migration that takes a plan out, as a file. */
export function asDropMigration(plan: string): string {
  return [
    '-- Written by imago plan drop. It stops the push where the plan has a way back, or something of the app stands on it.',
    `-- imago plan: ${plan} dropped`,
    '',
    `select imago.drop_plan('${plan}');`,
    '',
  ].join('\n');
}

/** The migration that has taken a plan out, from the project's folder. */
export function droppedBy(project: Project, plan: string): string | undefined {
  if (builtOf(project, plan).length > 0) return undefined;
  return project.migrations.findLast(({ text }) => droppedIn(text) === plan)?.file;
}

function droppedIn(migration: string): string | undefined {
  return dropMark.exec(migration.replaceAll('\r\n', '\n'))?.groups?.plan;
}

/** The migrations of a plan since Imago, or the plan, was last removed. */
export function builtOf(project: Project, plan: string): Built[] {
  let built: Built[] = [];
  for (const { file, text, version } of project.migrations) {
    if (readMigration(path.posix.basename(file), text)?.name === uninstallName) built = [];
    if (droppedIn(text) === plan) built = [];
    const found = readMark(text);
    if (found?.plan === plan) built.push({ file, version, ...found });
  }
  return built;
}

/** Which plan a migration was built from; undefined where it is another one. */
export function readMark(
  migration: string,
): (Omit<Built, 'file' | 'version'> & { plan: string }) | undefined {
  const text = migration.replaceAll('\r\n', '\n');
  const found = mark.exec(text);
  const { plan = '', sources = '', after = '', text: sum } = found?.groups ?? {};
  if (!found) return undefined;
  return { plan, sources, after, isEdited: textSum(text.slice(found.index + found[0].length + 1)) !== sum };
}

/** Of what the sources say: remarks and white space between statements do not count. */
export function sourcesSum(sources: readonly Source[]): string {
  return checksum(sources.map(({ text }) => text).join('\n'));
}

function textSum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function standingOf(sources: readonly Source[], built: readonly Built[]): Plan['standing'] {
  const last = built.at(-1);
  if (!last) return 'new';
  // Where two people have built at the same time, or somebody has edited a file, the last one does not tell the whole.
  const follows = built.every(
    ({ after, isEdited }, i) => after === (built[i - 1]?.version ?? '-') && !isEdited,
  );
  return follows && last.sources === sourcesSum(sources) ? 'built' : 'changed';
}

/** All sources of a plan, as one migration has them. SQL functions check their bodies when created, in whatever order. */
export function wholeText(sources: readonly Source[]): string {
  return migrationText(
    sources.map(({ file, text }) => `-- ${path.posix.basename(file, '.sql')}\n${text.trim()}\n`),
  );
}

/** The body of a migration. */
export function migrationText(sections: readonly string[]): string {
  return ['', 'set local check_function_bodies = off;\n', ...sections].join('\n');
}
