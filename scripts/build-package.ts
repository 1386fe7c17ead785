/**
 * Compiles the modules to dist/: Node runs TypeScript, but not below node_modules. `npm pack` calls it. What the modules
 * read from beside them goes along, and the dashboard and the report, each as one file; sql/, supabase/ and functions/ are packed
 * as they are.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { packageFolder } from './package.ts';

const from = path.join(packageFolder, 'scripts');
const to = path.join(packageFolder, 'dist', 'scripts');
const tsc = path.join(
  path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
  'bin/tsc',
);

/** Sources of the dashboard, which stand in its file. */
const page = path.join('dashboard', 'page');

rmSync(path.dirname(to), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '--project', 'tsconfig.build.json'], {
  cwd: packageFolder,
  // What the compiler says is for people: `npm pack --json` has stdout.
  stdio: ['ignore', process.stderr, process.stderr],
});
for (const [script, file] of [
  ['build-page.ts', 'dashboard.html'],
  ['build-report.ts', 'report.js'],
] as const) {
  const built = execFileSync(process.execPath, [path.join(from, script)], { maxBuffer: 16 * 1024 * 1024 });
  writeFileSync(path.join(packageFolder, 'dist', file), built);
}
for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
  if (file.startsWith(page) || file.endsWith('.ts') || path.extname(file) === '') continue;
  cpSync(path.join(from, file), path.join(to, file));
}
