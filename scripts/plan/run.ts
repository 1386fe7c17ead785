/** One invocation of the command, from the arguments to the exit code. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Sql } from 'postgres';
import { z } from 'zod';
import { type Environment, readEnvironment } from '../command/environment.ts';
import { commandPrefix, programName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import { fail, refuse } from '../command/refuse.ts';
import { runShell } from '../command/shell.ts';
import { writeLine, writeText } from '../command/streams.ts';
import { databaseUrl } from '../command/target.ts';
import type { Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { openDatabase } from '../connection/open.ts';
import { buildMigration, migrationFile, readManifest, root } from '../manifest.ts';
import { checkPlan } from './check.ts';
import { checkNames, createPlan, type Wish } from './create.ts';
import type { Finding } from './finding.ts';
import { type Action, readAction } from './options.ts';
import { withScratchDatabase } from './scratch.ts';

const fixtureSchema = z.object({ default: z.object({ app: z.string() }) });

interface Read {
  action: Action;
  environment: Environment;
}

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = programName('plan');
  return await runShell<Read, () => number>(argv, {
    command: 'plan',
    read: () => {
      const action = readAction(argv, program);
      const environment = readEnvironment();
      expectClone();
      if (action.kind === 'new') refuseEarly(action.wish, environment);
      else expectPlan(action.plan);
      return { action, environment };
    },
    level: ({ environment }) => environment.MIGRATION_LOG_LEVEL,
    act: async ({ action, environment }, { terminal }) => {
      const code =
        action.kind === 'new'
          ? await begin(action.wish, environment, terminal, program, action.json)
          : await check(action.plan, terminal, action.json);
      return () => code;
    },
    failed: ({ action }, error, { terminal }) => {
      if (error instanceof UsageError) return () => refuse(error, argv);
      return () => fail(error, terminal, action.json);
    },
    report: (_, code) => code(),
  });
}

/** A plan is part of the project: its tests are run there. */
function expectClone(): void {
  if (existsSync(join(root, 'tests/support'))) return;
  throw new UsageError(
    'Plans are written in a clone of Imago, and this is the package.',
    'Clone the repository, run npm ci there, and copy the finished migration to your project.',
  );
}

/** Whatever can be refused before a database is reached. */
function refuseEarly(wish: Wish, environment: Environment): void {
  checkNames(wish);
  databaseUrl(environment);
  if (environment.SUPABASE_URL !== undefined && environment.DATABASE_URL === undefined) {
    throw new UsageError(
      'SUPABASE_URL names a project, and DATABASE_URL is not set.',
      'The table is looked up in the database itself: set DATABASE_URL to its connection string. Nothing is changed there.',
    );
  }
}

function expectPlan(plan: string): void {
  if (!/^[a-z][a-z0-9_]{0,40}$/.test(plan) || !existsSync(join(root, 'sql/plans', plan))) {
    throw new UsageError(`There is no plan ${plan}: sql/plans/${plan}/ is missing.`, 'Begin one with new.');
  }
}

async function begin(
  wish: Wish,
  environment: Environment,
  terminal: Terminal,
  program: string,
  json: boolean,
): Promise<number> {
  const { files, unfilled } = await withDatabase(environment, terminal, (sql) => createPlan(sql, wish));
  for (const column of unfilled) {
    terminal.warn(
      `tests/support/${wish.plan}.sql has no value for ${column}, which must not be null: add one.`,
    );
  }
  if (json) writeLine({ type: 'result', status: 'created', plan: wish.plan, files, unfilled });
  else writeText(...files);
  const prefix = commandPrefix(program);
  terminal.info(
    [
      '',
      `The plan ${wish.plan} is written, and runs as it is. What each row gets stands in sql/plans/${wish.plan}/functions/apply.sql.`,
      `  ${prefix} check ${wish.plan}`,
      `  npm run build:sql            after each change`,
      `  npx vitest run tests/sql/plan-${wish.plan}.test.ts`,
      `  npm run migrate -- --plan ${wish.plan}`,
    ].join(lineBreak),
  );
  return 0;
}

async function withDatabase<T>(
  environment: Environment,
  terminal: Terminal,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  let url = databaseUrl(environment);
  let release = async (): Promise<void> => {};
  if (url === undefined) {
    // Loaded only when needed.
    const { ensureEmbedded } = await import('../embedded/supabase.ts');
    const embedded = await ensureEmbedded({ onStep: (step) => terminal.info(`${step} …`) });
    url = embedded.databaseUrl;
    release = embedded.release;
  }
  const sql = openDatabase(url, { warn: (line) => terminal.warn(line) });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
    await release();
  }
}

async function check(plan: string, terminal: Terminal, json: boolean): Promise<number> {
  const app = await appOf(plan);
  const manifest = Object.entries(readManifest());
  const own = manifest.find(([name]) => name.endsWith(`_imago_plan_${plan}`));
  if (!own)
    throw new UsageError(`sql/manifest.json has no migration for ${plan}.`, `Add <time>_imago_plan_${plan}.`);
  const engine = manifest.filter(([name]) => name.endsWith('_imago_engine'));
  terminal.info(`Running the plan ${plan} on a PostgreSQL of its own …`);
  const findings = await withScratchDatabase(async (sql) => {
    for (const [, entries] of engine) await sql.begin((tx) => tx.unsafe(buildMigration(entries)));
    const subject = { plan, migration: buildMigration(own[1]), app };
    return await checkPlan(sql, subject, (step) => terminal.debug(step));
  });
  const built = migrationFile(own[0]);
  if (!existsSync(built) || readFileSync(built, 'utf8') !== buildMigration(own[1])) {
    terminal.info('The migration is older than its sources: npm run build:sql brings it up to date.');
  }
  return report(plan, findings, terminal, json);
}

/** The SQL that makes the app that a plan is tried on: its conformance fixture names it. */
async function appOf(plan: string): Promise<string> {
  const fixture = `tests/support/conformance/${plan}.ts`;
  if (!existsSync(join(root, fixture))) {
    throw new UsageError(
      `${fixture} is missing.`,
      'It names the app that the plan is tried on; those beside it show how.',
    );
  }
  const { app } = fixtureSchema.parse(await import(pathToFileURL(join(root, fixture)).href)).default;
  if (!existsSync(join(root, app))) {
    throw new UsageError(`${app} is missing.`, 'It makes the app that the plan is tried on.');
  }
  return readFileSync(join(root, app), 'utf8');
}

function report(plan: string, findings: Finding[], terminal: Terminal, json: boolean): number {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (json) {
    writeLine({ type: 'result', status: errors > 0 ? 'findings' : 'clean', plan, errors, findings });
  } else {
    for (const { severity, message, remedy } of findings) {
      writeText(`${severity === 'error' ? 'ERROR' : 'warning'}  ${message}`, `       ${remedy}`);
    }
    const rest = findings.length - errors;
    const counts = `${errors} ${errors === 1 ? 'error' : 'errors'}, ${rest} ${rest === 1 ? 'warning' : 'warnings'}`;
    terminal.info(
      findings.length === 0 ? `The plan ${plan}: nothing is wrong.` : `The plan ${plan}: ${counts}.`,
    );
  }
  return errors > 0 ? 3 : 0;
}
