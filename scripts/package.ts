/** Where this package is, as a clone or installed below node_modules, and where it keeps what is the user's. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The nearest folder from here upwards that holds one of the named entries. */
export function nearest(from: string, ...entries: readonly string[]): string | undefined {
  for (let at = path.resolve(from); ; at = path.dirname(at)) {
    if (entries.some((entry) => existsSync(path.join(at, entry)))) return at;
    if (at === path.dirname(at)) return undefined;
  }
}

/** The folder of the package: it holds sql/, supabase/ and functions/, whether the modules run from scripts/ or dist/. */
export const packageFolder = nearest(import.meta.dirname, 'package.json') as string;

/** Whether it was installed as a package, so that its own folder is not for data: the next npm install empties it. */
const installed = packageFolder.split(path.sep).includes('node_modules');

/** The folder for what belongs to the user's project: this one as a clone, else the project that they are in. */
export function userFolder(): string {
  if (!installed) return packageFolder;
  return nearest('.', path.join('supabase', 'config.toml'), 'package.json') ?? path.resolve('.');
}

/** The file of a module that is started by its path: TypeScript in a clone, compiled in the package. */
export function moduleFile(url: string, name: string): string {
  return fileURLToPath(new URL(`${name}${path.extname(url)}`, url));
}

/** Every node_modules folder in which the package may find what it depends on. */
export function moduleFolders(): string[] {
  const folders: string[] = [];
  for (let at: string | undefined = packageFolder; at; at = nearest(path.dirname(at), 'node_modules')) {
    const folder = path.join(at, 'node_modules');
    if (existsSync(folder)) folders.push(folder);
    if (at === path.dirname(at)) break;
  }
  return folders;
}

/** What the first line of a built migration begins with, by which one that was copied by hand is known. */
export const builtMark = '-- Built from sql/';
