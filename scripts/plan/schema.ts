/** The schema that a plan meets: what the migrations of the project make, on a database of its own. */
import path from 'node:path';
import type { Sql } from 'postgres';
import { Problem as VersionProblem } from '../db/problem.ts';
import { readScript, runScript } from '../db/running.ts';
import { installedParts } from '../install/installed.ts';
import { readMigration, readParts } from '../install/parts.ts';
import type { SqlFile } from '../install/project.ts';
import { reason } from './finding.ts';
import { Problem } from './problem.ts';
import { type Plan, type Project, readMark, wholeText } from './project.ts';

/** Runs a migration as it is run at home. */
export async function runMigration(sql: Sql, file: SqlFile): Promise<void> {
  try {
    await runScript(sql, readScript(file));
    // A setting that a file leaves behind is not there for the next one on a real database either.
    await sql.unsafe('reset all; reset role');
  } catch (cause) {
    if (!(cause instanceof VersionProblem)) throw cause;
    throw new Problem(
      'migration-fails',
      `${cause.message} The migrations of the project are run on an empty database of the embedded PostgreSQL.`,
      cause.hint?.includes('embedded')
        ? cause.hint
        : 'They must stand on nothing but those before them. A table that was made without one comes into the project by: npx supabase db pull',
      { cause },
    );
  }
}

/** The migrations that bring the engine: those of the project, or of this package where it has none. */
export function engineOf(project: Project): SqlFile[] {
  const installed = new Set(installedParts(project).map(({ file }) => file));
  const own = project.migrations.filter(
    (file) => installed.has(file.file) && isEngine(path.posix.basename(file.file), file.text),
  );
  if (own.length > 0) return own;
  return readParts()
    .filter(({ plan }) => plan === undefined)
    .map(({ name, text }) => ({ file: `${name}.sql (of the package)`, text }));
}

function isEngine(file: string, text: string): boolean {
  return /^imago_engine(_\d+)?$/.test(readMigration(file, text)?.name ?? '');
}

/** What the app has before the plan: all migrations but the engine's and the plan's own, and none that came after it. */
export function appMigrations(project: Project, plan: Plan): SqlFile[] {
  const engine = new Set(engineOf(project).map(({ file }) => file));
  const last = plan.standing === 'built' ? plan.built.at(-1)?.version : undefined;
  return project.migrations.filter(
    ({ file, text, version }) =>
      !engine.has(file) && readMark(text)?.plan !== plan.name && (last === undefined || version < last),
  );
}

/** Runs migrations in their order. */
export async function runAll(sql: Sql, files: readonly SqlFile[]): Promise<void> {
  for (const file of files) await runMigration(sql, file);
}

/** Registers the plan from its sources. */
export async function runPlan(sql: Sql, plan: Plan): Promise<void> {
  await sql
    .begin((tx) => tx.unsafe(wholeText(plan.sources)))
    .catch((cause) => {
      throw new Problem('plan-fails', `The plan cannot be pushed (${reason(cause)}).`, 'Fix its SQL.', {
        cause,
      });
    });
}
