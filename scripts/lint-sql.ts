/**
 * Lints supabase/migrations/*.sql by squawk, under the rules of .squawk.toml, and the sources by the length of their lines.
 * `--count` notes how many long lines each file has now.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { z } from 'zod';
import { filesBelow, read } from './docs/folder.ts';
import { root } from './manifest.ts';

const longest = 130;

/** Files with lines that are longer, from before there was a limit, each with how many: a number may only fall. */
const known = '.sql-long-lines.json';
const places = ['sql', 'scripts', 'tests', 'bench', 'docs'];

function longLines(file: string): number[] {
  return read(file)
    .split('\n')
    .flatMap((line, index) => ([...line].length > longest ? [index + 1] : []));
}

const long = new Map(
  places
    .flatMap((place) => filesBelow(place, '.sql'))
    .map((file) => [file, longLines(file)] as const)
    .filter(([, lines]) => lines.length > 0),
);

if (process.argv.includes('--count')) {
  const counts = Object.fromEntries([...long].map(([file, lines]) => [file, lines.length]));
  writeFileSync(join(root, known), `${JSON.stringify(counts, null, 2)}\n`);
} else {
  const allowed = z.record(z.string(), z.number()).parse(JSON.parse(read(known)));
  const more = [...long].filter(([file, lines]) => lines.length > (allowed[file] ?? 0));
  for (const [file, lines] of more) {
    console.error(
      `${file} has ${lines.length} lines of more than ${longest} characters, and may have ${allowed[file] ?? 0}: ${lines.join(', ')}`,
    );
  }
  process.exitCode = squawk() || (more.length > 0 ? 1 : 0);
}

function squawk(): number {
  // The package's own file and not .bin/squawk, which npx and workspaces put elsewhere.
  const file = createRequire(import.meta.url).resolve('squawk-cli/js/bin/squawk');
  const { status, error } = spawnSync(
    process.execPath,
    [file, '--config', '.squawk.toml', 'supabase/migrations/*.sql'],
    { cwd: root, stdio: 'inherit' },
  );
  if (error) throw error;
  return status ?? 1;
}
