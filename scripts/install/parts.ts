/** What the package brings into a project: parts of the database side as migrations, and edge functions. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { builtMark, packageFolder } from '../package.ts';

/** One migration of Imago, by the name that it keeps in every project, whatever its number there. */
export interface Part {
  /** Like imago_engine, imago_engine_2 (an upgrade), imago_plan_avatars. */
  name: string;
  /** The plan that it belongs to; none for the engine. */
  plan: string | undefined;
  text: string;
}

/** The part that takes everything away again. */
export const uninstallName = 'imago_uninstall';

/** The parts of this package, in the order in which they are applied. */
export function readParts(): Part[] {
  const folder = path.join(packageFolder, 'supabase', 'migrations');
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const name = /^\d+_(imago_\w+)\.sql$/.exec(file)?.[1];
      return name ? [{ name, plan: planOf(name), text: readFileSync(path.join(folder, file), 'utf8') }] : [];
    });
}

/** The part that removes Imago; on request without a look whether there is still a way back. */
export function uninstallPart(discardJournal: boolean): Part {
  const text = readFileSync(path.join(packageFolder, 'sql', 'uninstall.sql'), 'utf8');
  return {
    name: uninstallName,
    plan: undefined,
    text: text.replace(/(discard_journal constant boolean := )false/, `$1${discardJournal}`),
  };
}

function planOf(name: string): string | undefined {
  return /^imago_plan_(\w+?)(?:_\d+)?$/.exec(name)?.[1];
}

/** The same on systems that write CRLF. */
export function checksum(text: string): string {
  return createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
}

/** A part as the file of a project. Its first line says what it is, and tells later whether somebody edited it. */
export function asMigration({ name, text }: Part): string {
  return `-- imago: ${name} sha256:${checksum(text)}\n${text}`;
}

/** What a migration of a project says that it is. */
export interface Marked {
  name: string;
  /** Of the text that was installed; none where the file was copied by hand. */
  installed: string | undefined;
  /** Of the text as it is now. */
  present: string;
}

/** Reads a migration of a project; undefined where it is none of Imago's. */
export function readMigration(file: string, text: string): Marked | undefined {
  const [line = ''] = text.split('\n', 1);
  const [, name, installed] = /^-- imago: (\w+) sha256:([0-9a-f]{64})/.exec(line) ?? [];
  if (name && installed) return { name, installed, present: checksum(text.slice(line.length + 1)) };
  const copied = /^\d+_(imago_\w+)\.sql$/.exec(file)?.[1];
  if (!copied || !line.startsWith(builtMark)) return undefined;
  return { name: copied, installed: undefined, present: checksum(text) };
}

/** A file of the edge functions, by its path below supabase/functions/ of a project. */
export interface FunctionFile {
  file: string;
  text: string;
}

/** One edge function, with what belongs to it alone. */
export interface EdgeFunction {
  name: string;
  files: FunctionFile[];
}

/** The folder of what the functions share; a name of our own, for projects have a _shared with files of any name. */
export const sharedFolder = '_imago';

/** Functions that read the app of one plan, and come with it. */
const functionsOfPlans: Record<string, string> = { gigs: 'profile_gigs' };

/** The edge functions that go with these plans, and the files that they share. */
export function readFunctions(plans: ReadonlySet<string>): {
  functions: EdgeFunction[];
  shared: FunctionFile[];
} {
  const folder = path.join(packageFolder, 'functions');
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const functions = entries
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('_'))
    .filter((name) => !functionsOfPlans[name] || plans.has(functionsOfPlans[name]))
    .sort()
    .map((name) => ({ name, files: filesOf(folder, name, name) }));
  return { functions, shared: filesOf(folder, '_shared', sharedFolder) };
}

function filesOf(folder: string, from: string, to: string): FunctionFile[] {
  return readdirSync(path.join(folder, from))
    .sort()
    .map((file) => ({
      file: `${to}/${file}`,
      text: readFileSync(path.join(folder, from, file), 'utf8').replaceAll(
        "'../_shared/",
        `'../${sharedFolder}/`,
      ),
    }));
}
