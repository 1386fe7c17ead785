/** Files of the project, as they lie on disk. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { root } from '../manifest.ts';

/** The text of a file, named from the root. */
export function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** All files below a folder whose names end so, named from the root, in order. */
export function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => `${folder}/${file.replaceAll(sep, '/')}`)
    .sort();
}
