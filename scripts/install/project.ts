/** A Supabase project of somebody else: the files of it that matter here, as they are. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { binName } from '../command/invocation.ts';
import { packageFolder } from '../package.ts';
import { Problem } from './problem.ts';

/** Paths from the project's folder. */
export const places = {
  config: 'supabase/config.toml',
  migrations: 'supabase/migrations',
  functions: 'supabase/functions',
  models: 'supabase/schemas',
  environment: '.env.example',
};

export interface SqlFile {
  file: string;
  text: string;
}

export interface Project {
  folder: string;
  config: string;
  /** In the order in which the CLI applies them; `version` is the number in front. */
  migrations: (SqlFile & { version: string })[];
  models: SqlFile[];
  /** Text of a file by its path from the folder; undefined where there is none. */
  read(file: string): string | undefined;
  exists(file: string): boolean;
}

/** Reads a project; refuses what is none. */
export function readProject(given: string): Project {
  const folder = path.resolve(given);
  const at = (file: string): string => path.join(folder, file);
  if (!statSync(at('supabase'), { throwIfNoEntry: false })?.isDirectory()) {
    throw new Problem(
      'not-a-project',
      `${folder} is not the folder of a Supabase project: there is no supabase/ in it.`,
      'Name the folder of your project, or make one there: npx supabase init',
    );
  }
  if (!existsSync(at(places.config))) {
    throw new Problem(
      'no-config',
      `${folder} has no ${places.config}.`,
      'Make one there: npx supabase init. It keeps the migrations that are there.',
    );
  }
  if (folder === packageFolder) {
    throw new Problem(
      'own-repository',
      'This is the folder of Imago itself, which has everything.',
      `Name the folder of your project: ${binName()} install DIR`,
    );
  }
  const read = (file: string): string | undefined =>
    existsSync(at(file)) ? readFileSync(at(file), 'utf8') : undefined;
  const sqlFiles = (place: string): SqlFile[] =>
    (existsSync(at(place)) ? readdirSync(at(place), { recursive: true, encoding: 'utf8' }) : [])
      .filter((name) => name.endsWith('.sql'))
      .sort()
      .map((name) => `${place}/${name.split(path.sep).join('/')}`)
      .map((file) => ({ file, text: readFileSync(at(file), 'utf8') }));
  const migrations = sqlFiles(places.migrations).flatMap((file) => {
    const version = /^(\d+)_[^/]*$/.exec(file.file.slice(places.migrations.length + 1))?.[1];
    return version ? [{ ...file, version }] : [];
  });
  return {
    folder,
    config: readFileSync(at(places.config), 'utf8'),
    migrations,
    models: sqlFiles(places.models),
    read,
    exists: (file) => existsSync(at(file)),
  };
}
