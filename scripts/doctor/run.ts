/** One invocation of `imago doctor`, from the arguments to the exit code. */
import { type Environment, readEnvironment } from '../command/environment.ts';
import { counted } from '../command/figures.ts';
import { programName } from '../command/invocation.ts';
import { reach, sayTarget } from '../command/reach.ts';
import { fail } from '../command/refuse.ts';
import { runShell } from '../command/shell.ts';
import { writeLine, writeText } from '../command/streams.ts';
import { chooseTarget, type EmbeddedTarget, type ProjectTarget } from '../command/target.ts';
import { colours, type Terminal } from '../command/terminal.ts';
import { readParts } from '../install/parts.ts';
import { type Advice, adviceFor } from './advice.ts';
import { diagnose, type Finding } from './diagnose.ts';
import { look, type Seen } from './look.ts';
import { type Options, parseOptions } from './options.ts';
import { runProbe } from './probe/run.ts';

interface Read {
  options: Options;
  environment: Environment;
  target: ProjectTarget | EmbeddedTarget;
}

/** It could not be looked. */
interface Failure {
  error: unknown;
}

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  return argv.includes('--probe') ? await runProbe(argv) : await compare(argv);
}

type Result = Seen & { advice: Advice[] };

async function compare(argv: readonly string[]): Promise<number> {
  return await runShell<Read, Result | Failure>(argv, {
    command: 'doctor',
    read: () => {
      const options = parseOptions(argv, programName('doctor'));
      const environment = readEnvironment();
      return { options, environment, target: chooseTarget(environment, {}) };
    },
    level: ({ environment }) => environment.MIGRATION_LOG_LEVEL,
    act: async ({ target }, { terminal, atEnd }) => {
      sayTarget(terminal, target);
      const reached = await reach(target, terminal);
      atEnd(() => reached.release());
      const { installation, database, findings } = await look(reached, terminal);
      return {
        installation,
        database,
        findings: [...findings, ...(installation ? diagnose(installation, readParts()) : [])],
        advice: installation ? adviceFor(installation) : [],
      };
    },
    failed: (_, error) => ({ error }),
    report: ({ options }, ending, terminal) =>
      'error' in ending ? fail(ending.error, terminal, options.json) : say(ending, options, terminal),
  });
}

/** What is known of the connection to the database. */
const connections: Record<Seen['database'], string> = {
  'not set': 'none, since DATABASE_URL is not set',
  'this machine': 'on this machine',
  verified: 'encrypted, and the server has proved who it is',
  unverified: 'the server has not proved who it is',
};

/** Findings on stdout; how many, and what was looked at, on stderr. */
function say(
  { findings, advice, installation, database }: Result,
  { failOn, json }: Options,
  terminal: Terminal,
): number {
  const count = (severity: Finding['severity']): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const exitCode = errors > 0 || (failOn === 'warning' && warnings > 0) ? 3 : 0;
  const message =
    findings.length === 0
      ? 'All is as it should be.'
      : `${counted(errors, 'error')}, ${counted(warnings, 'warning')}.`;
  const facts = installation && {
    engine: installation.version,
    server: installation.server_version,
    plans: installation.plans,
    functions: installation.functions.length,
    triggers: installation.triggers.length,
    cron: installation.cron.available,
    database,
  };
  if (json) {
    const status = exitCode === 3 ? 'findings' : 'sound';
    writeLine({
      type: 'result',
      status,
      exit_code: exitCode,
      message,
      errors,
      warnings,
      findings,
      advice,
      facts,
    });
    return exitCode;
  }
  const paint = colours(process.stdout);
  for (const { severity, message, remedy } of findings) {
    const word = severity === 'error' ? paint.red('error  ') : paint.yellow('warning');
    writeText(`${word}  ${message}`, `         ${remedy}`);
  }
  for (const { message, statement } of advice)
    writeText(`${paint.bold('advice ')}  ${message}`, `         ${statement}`);
  if (facts) {
    const plans = facts.plans.length > 0 ? `plans ${facts.plans.join(', ')}` : 'no plans';
    const cron = facts.cron ? 'pg_cron can be used' : 'without pg_cron, which schedule_migration needs';
    terminal.info(
      `Engine ${facts.engine} on PostgreSQL ${facts.server}, ${plans}, ${counted(facts.triggers, 'trigger')} on tables, ${cron}.`,
    );
    terminal.info(`Database connection: ${connections[database]}.`);
  }
  terminal.info(message);
  return exitCode;
}
