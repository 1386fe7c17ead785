/** One invocation of the command, from the arguments to the exit code. */
import path from 'node:path';
import type { Sql } from 'postgres';
import { ask, expectSomebody } from '../command/ask.ts';
import { type Environment, readEnvironment } from '../command/environment.ts';
import { counted } from '../command/figures.ts';
import { commandPrefix, programName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import { fail, refuse } from '../command/refuse.ts';
import { runShell } from '../command/shell.ts';
import { writeLine, writeText } from '../command/streams.ts';
import { databaseUrl } from '../command/target.ts';
import type { Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { openDatabase } from '../connection/open.ts';
import { clusterExists } from '../embedded/cluster.ts';
import { defaultFolder } from '../embedded/state.ts';
import { Problem as InstallProblem } from '../install/problem.ts';
import { readBehaviour } from './behaviour.ts';
import { planWork, type Step, write } from './build.ts';
import { checkPlan } from './check.ts';
import { checkNames, createPlan, expectFree, type Wish } from './create.ts';
import { dropObstacle, dropWork, expectDroppable } from './drop.ts';
import { type Finding, reason } from './finding.ts';
import { installedPlans, type Listed, listPlans } from './list.ts';
import { type Action, readAction } from './options.ts';
import { Problem } from './problem.ts';
import { type Project, planNames, plansFolder, readPlan, readProject, wholeText } from './project.ts';
import { appMigrations, engineOf, runAll } from './schema.ts';
import { type Scratch, withScratch } from './scratch.ts';
import { type Result, testPlan } from './test.ts';

/** What the work of a command has at hand. */
interface Bench {
  project: Project;
  environment: Environment;
  terminal: Terminal;
  /** How this command is typed, as far as options of its own. */
  program: string;
  json: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = programName('plan');
  return await runShell<{ action: Action; environment: Environment }, () => number>(argv, {
    command: 'plan',
    read: () => ({ action: readAction(argv, program), environment: readEnvironment() }),
    level: ({ environment }) => environment.MIGRATION_LOG_LEVEL,
    stopping: () => ({
      first: 'Stopping: nothing is written.',
      second:
        'Left at once. What was tried is in a temporary folder, imago-plan-…, with a server of its own.',
    }),
    stopped: () => 130,
    act: async ({ action, environment }, { terminal, signal }) => {
      if (action.kind === 'new') checkNames(action.wish);
      const project = readProject(action.workdir);
      const code = await act(action, {
        project,
        environment,
        terminal,
        program,
        json: action.json,
        signal,
      });
      return () => code;
    },
    failed: ({ action }, error, { terminal }) => {
      if (error instanceof UsageError) return () => refuse(error, argv);
      if (error instanceof Problem) return () => refused(error, error.exitCode, terminal, action.json);
      if (error instanceof InstallProblem) return () => refused(error, 2, terminal, action.json);
      return () => fail(error, terminal, action.json);
    },
    report: (_, code) => code(),
  });
}

async function act(action: Action, bench: Bench): Promise<number> {
  switch (action.kind) {
    case 'new':
      return await begin(action.wish, bench);
    case 'check':
      return await check(action.plan, bench);
    case 'test':
      return await test(action.plan, bench);
    case 'build':
      return await build(action.plans, action.check, bench);
    case 'list':
      return await list(bench);
    case 'drop':
      return await drop(action.plan, action.yes, bench);
  }
}

/** A problem with its code, in the two ways in which everything is said. */
function refused(
  { code, message, hint }: Problem | InstallProblem,
  exitCode: number,
  terminal: Terminal,
  json: boolean,
): number {
  terminal.error(`${message} (${code})`, hint);
  if (json) {
    const status = exitCode === 2 ? 'refused' : 'failed';
    writeLine({ type: 'result', status, exit_code: exitCode, message, error: { code, message, hint } });
  }
  return exitCode;
}

async function begin(wish: Wish, bench: Bench): Promise<number> {
  const { project, terminal, program, json } = bench;
  expectFree(project, wish.plan);
  const { files, unfilled } = await withSchema(bench, (sql) => createPlan(sql, project, wish));
  const folder = `${plansFolder}/${wish.plan}`;
  for (const column of unfilled) {
    terminal.warn(`${folder}/test/rows.sql has no value for ${column}, which must not be null: add one.`);
  }
  const prefix = commandPrefix(program);
  const next = ['check', 'test', 'build'].map((kind) => `${prefix} ${kind} ${wish.plan}`);
  if (json) {
    writeLine({
      type: 'result',
      status: 'created',
      exit_code: 0,
      project: project.folder,
      plan: wish.plan,
      files,
      unfilled,
      next,
    });
    return 0;
  }
  writeText(...files);
  terminal.info(
    [
      `The plan ${wish.plan} is written, and runs as it is. What each row gets stands in functions/apply.sql.`,
      ...next.map((line) => `  ${line}`),
    ].join(lineBreak),
  );
  return 0;
}

/** Runs the work on a database with the tables of the app: the one that is named, or what the migrations make. */
async function withSchema<T>(
  { project, environment, terminal, signal }: Bench,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  const url = databaseUrl(environment);
  if (url === undefined) {
    terminal.info('Looking at what the migrations of the project make …');
    return await withScratch(signal, async (scratch) => {
      const { sql } = await scratch.database();
      try {
        await runAll(sql, project.migrations);
        return await work(sql);
      } finally {
        await sql.end({ timeout: 1 });
      }
    });
  }
  terminal.info('Looking at the database that DATABASE_URL names …');
  const sql = openDatabase(url, { warn: (line) => terminal.warn(line) });
  return await work(sql).finally(() => sql.end({ timeout: 1 }));
}

async function check(name: string, { project, terminal, json, signal }: Bench): Promise<number> {
  const plan = readPlan(project, name);
  const { makeRows } = readBehaviour(project, name);
  terminal.info(`Checking the plan ${name} on a PostgreSQL of its own …`);
  const findings = await withScratch(signal, async (scratch) => {
    const { sql } = await scratch.database();
    try {
      await runAll(sql, engineOf(project));
      const subject = {
        plan: name,
        migration: wholeText(plan.sources),
        makeApp: async (db: Sql, entities: number) => {
          await runAll(db, appMigrations(project, plan));
          await makeRows(db, entities);
        },
      };
      return await checkPlan(sql, subject, (step) => terminal.debug(step));
    } finally {
      await sql.end({ timeout: 1 });
    }
  });
  return reportFindings(name, findings, terminal, json);
}

function reportFindings(plan: string, findings: Finding[], terminal: Terminal, json: boolean): number {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const code = errors > 0 ? 3 : 0;
  if (json) {
    const status = errors > 0 ? 'findings' : 'clean';
    writeLine({ type: 'result', status, exit_code: code, plan, errors, findings });
    return code;
  }
  for (const { severity, message, remedy } of findings) {
    writeText(`${severity === 'error' ? 'ERROR' : 'warning'}  ${message}`, `       ${remedy}`);
  }
  const counts = `${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}`;
  terminal.info(
    findings.length === 0 ? `The plan ${plan}: nothing is wrong.` : `The plan ${plan}: ${counts}.`,
  );
  return code;
}

async function test(name: string, { project, terminal, json, signal }: Bench): Promise<number> {
  const plan = readPlan(project, name);
  const behaviour = readBehaviour(project, name);
  terminal.info(`Testing the plan ${name} on a PostgreSQL of its own …`);
  const results: Result[] = [];
  await withScratch(signal, async (scratch) => {
    for await (const result of testPlan(scratch, project, plan, behaviour)) {
      results.push(result);
      if (json) continue;
      writeText(`${outcomeOf(result)}  ${result.title}`);
      if (result.leftOut !== undefined) writeText(`        ${result.leftOut}`);
      if (result.message !== undefined) {
        const lines = result.message.split('\n').filter((line) => line.trim() !== '');
        writeText(...lines.slice(0, mostLines).map((line) => `        ${line}`));
      }
    }
  });
  const failed = results.filter(({ message }) => message !== undefined).length;
  const code = failed > 0 ? 3 : 0;
  if (json) {
    const checks = results.map(({ title, message, leftOut }) => ({
      title,
      ok: leftOut === undefined ? message === undefined : null,
      message: leftOut ?? message,
    }));
    const status = failed > 0 ? 'failed' : 'passed';
    writeLine({ type: 'result', status, exit_code: code, plan: name, failed, checks });
  } else {
    const tried = results.filter(({ leftOut }) => leftOut === undefined).length;
    const rest = tried < results.length ? `; ${results.length - tried} were left out` : '';
    terminal.info(
      `The plan ${name}: ${failed === 0 ? `all ${tried} checks hold` : `${failed} of ${tried} checks failed`}${rest}.`,
    );
  }
  return code;
}

function outcomeOf({ message, leftOut }: Result): string {
  return leftOut !== undefined ? 'not   ' : message === undefined ? 'ok    ' : 'FAILED';
}

/** A difference of many rows says no more after these. */
const mostLines = 30;

async function build(
  names: readonly string[],
  onlyCheck: boolean,
  { project, terminal, program, json, signal }: Bench,
): Promise<number> {
  const plans = (names.length > 0 ? [...new Set(names)] : planNames(project)).map((name) =>
    readPlan(project, name),
  );
  const work = plans.some(({ standing }) => standing !== 'built')
    ? await withScratch(signal, async (scratch) => {
        terminal.info('Trying it on a PostgreSQL of its own …');
        return await planWork(project, plans, async () => scratch);
      })
    : await planWork(project, plans, noScratch);
  if (!onlyCheck) await write(project, work);
  const files = work.changes.map(({ file }) => file);
  const code = onlyCheck && files.length > 0 ? 3 : 0;
  const next = onlyCheck || files.length === 0 ? [] : ['npx supabase db push'];
  const message = buildMessage(plans.length, files.length, onlyCheck);
  if (json) {
    const status = files.length === 0 ? 'unchanged' : onlyCheck ? 'behind' : 'done';
    writeLine({
      type: 'result',
      status,
      exit_code: code,
      message,
      project: project.folder,
      files,
      plans: work.steps.map(({ file, ...step }) => ({ ...step, file: file ?? null })),
      next,
    });
    return code;
  }
  for (const line of files) writeText(`${onlyCheck ? 'missing' : 'added  '}  ${line}`);
  for (const step of work.steps) terminal.info(stepText(step));
  terminal.info(
    [
      message,
      ...next.map((line) => `  ${line}`),
      ...(code === 3 ? [`  ${commandPrefix(program)} build`] : []),
    ].join(lineBreak),
  );
  return code;
}

function noScratch(): Promise<Scratch> {
  throw new Error('there is nothing to try');
}

function stepText({ plan, file, changes, remarks }: Step): string {
  if (file === undefined) return `The plan ${plan}: nothing is new.`;
  return [`The plan ${plan}: ${changes.join(', ')}.`, ...remarks].join(lineBreak);
}

function buildMessage(plans: number, files: number, onlyCheck: boolean): string {
  if (plans === 0) return `There is no plan in ${plansFolder}/. Begin one with new.`;
  if (files === 0) return 'Nothing to do: the migrations have everything.';
  return onlyCheck
    ? `${counted(files, 'migration is', 'migrations are')} missing.`
    : `${counted(files, 'migration')} written.`;
}

async function drop(name: string, yes: boolean, bench: Bench): Promise<number> {
  const { project, environment, terminal, program, json, signal } = bench;
  const found = await look(environment, terminal, async (sql) => {
    const installed = await installedPlans(sql);
    const there = installed?.find((plan) => plan.name === name);
    return { there, obstacle: there && (await dropObstacle(sql, name)) };
  });
  expectDroppable(project, name, found.seen);
  if (!yes) {
    expectSomebody('What is known of the runs of a plan goes with it');
    const question = `Write the migration that takes out the plan ${name}, with what is known of its runs?`;
    if (!(await ask(question, terminal, signal))) {
      const [status, code] = signal.aborted ? (['interrupted', 130] as const) : (['declined', 3] as const);
      terminal.info('Nothing was written.');
      if (json) writeLine({ type: 'result', status, exit_code: code, plan: name, files: [] });
      return code;
    }
  }
  terminal.info('Trying it on a PostgreSQL of its own …');
  const work = await withScratch(signal, (scratch) => dropWork(project, name, scratch));
  await write(project, work);
  const files = work.changes.map(({ file }) => file);
  const next = ['npx supabase db push'];
  if (json) {
    writeLine({
      type: 'result',
      status: 'done',
      exit_code: 0,
      project: project.folder,
      plan: name,
      files,
      next,
    });
    return 0;
  }
  for (const file of files) writeText(`added    ${file}`);
  terminal.info(
    [
      `The plan ${name} is taken out by the next push. A database in which it can still be taken back stops the push, and is not changed.`,
      ...next.map((line) => `  ${line}`),
      `  ${commandPrefix(program)} list`,
    ].join(lineBreak),
  );
  return 0;
}

async function list({ project, environment, terminal, json }: Bench): Promise<number> {
  const { where, seen: installed } = await look(environment, terminal, installedPlans);
  const plans = listPlans(project, installed ?? []);
  if (json) {
    writeLine({
      type: 'result',
      status: 'done',
      exit_code: 0,
      project: project.folder,
      database: where,
      plans,
    });
    return 0;
  }
  const table = [['plan', 'project', 'migrations', 'database'], ...plans.map(columnsOf)];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  for (const row of table) {
    writeText(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
  terminal.info(
    `${whereText[where]}${installed === undefined && where !== 'none' ? '; Imago is not in it' : ''}.`,
  );
  return 0;
}

function columnsOf({ plan, local, migrations, installed }: Listed): string[] {
  const state = { new: 'not built', built: 'built', changed: 'changed since it was built' };
  return [plan, local === null ? '-' : state[local], String(migrations.length), installed ?? '-'];
}

const whereText = {
  named: 'Database: the one that DATABASE_URL names',
  embedded: 'Database: the embedded one',
  none: 'Database: none is named by DATABASE_URL, and there is no embedded one yet',
};

/** Looks into the database that is named, or into the embedded one where there is one. */
async function look<T>(
  environment: Environment,
  terminal: Terminal,
  read: (sql: Sql) => Promise<T>,
): Promise<{ where: keyof typeof whereText; seen: T | undefined }> {
  const url = databaseUrl(environment);
  if (url !== undefined) {
    const sql = openDatabase(url, { warn: (line) => terminal.warn(line) });
    return { where: 'named', seen: await read(sql).finally(() => sql.end({ timeout: 1 })) };
  }
  if (!clusterExists(path.join(defaultFolder, 'postgres'))) return { where: 'none', seen: undefined };
  // Loaded only when needed.
  const { ensureEmbedded } = await import('../embedded/supabase.ts');
  const embedded = await ensureEmbedded({ onStep: (step) => terminal.info(`${step} …`) });
  const sql = openDatabase(embedded.databaseUrl, { warn: (line) => terminal.warn(line) });
  try {
    return { where: 'embedded', seen: await read(sql) };
  } catch (error) {
    throw new Error(`The embedded database does not answer (${reason(error)}).`, { cause: error });
  } finally {
    await sql.end({ timeout: 1 });
    await embedded.release();
  }
}
