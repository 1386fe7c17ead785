/** One invocation of `imago doctor`, from the arguments to the exit code. */
import { HelpShown } from '../command/arguments.ts';
import { type Environment, readEnvironment } from '../command/environment.ts';
import { counted } from '../command/figures.ts';
import { programName } from '../command/invocation.ts';
import { problemOf } from '../command/problem.ts';
import { type Reached, reach } from '../command/reach.ts';
import { refuse } from '../command/refuse.ts';
import { writeLine } from '../command/streams.ts';
import { chooseTarget, type EmbeddedTarget, type ProjectTarget } from '../command/target.ts';
import { colours, Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { readParts } from '../install/parts.ts';
import { diagnose, type Finding } from './diagnose.ts';
import type { Installation } from './installation.ts';
import { look } from './look.ts';
import { type Options, parseOptions } from './options.ts';

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  let options: Options;
  let environment: Environment;
  let target: ProjectTarget | EmbeddedTarget;
  try {
    options = parseOptions(argv, programName('doctor'));
    environment = readEnvironment();
    target = chooseTarget(environment, {});
  } catch (error) {
    if (error instanceof HelpShown) return 0;
    if (!(error instanceof UsageError)) throw error;
    return refuse(error, argv);
  }

  const terminal = new Terminal(environment.MIGRATION_LOG_LEVEL ?? 'info');
  const where = target.kind === 'project' ? target.url : 'the embedded Supabase (SUPABASE_URL is not set)';
  terminal.info(`Target: ${terminal.paint.bold(where)}`);
  let reached: Reached | undefined;
  try {
    reached = await reach(target, terminal);
    const { installation, findings } = await look(reached);
    const all = [...findings, ...(installation ? diagnose(installation, readParts()) : [])];
    return say(all, installation, options, terminal);
  } catch (error) {
    const { code, message, hint } = problemOf(error);
    terminal.error(message, hint);
    if (options.json) {
      writeLine({ type: 'result', status: 'failed', exit_code: 1, message, error: { code, message, hint } });
    }
    return 1;
  } finally {
    await reached?.release();
  }
}

/** Findings on stdout; how many, and what was looked at, on stderr. */
function say(
  findings: readonly Finding[],
  installation: Installation | undefined,
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
  };
  if (json) {
    const status = exitCode === 3 ? 'findings' : 'sound';
    writeLine({ type: 'result', status, exit_code: exitCode, message, errors, warnings, findings, facts });
    return exitCode;
  }
  const paint = colours(process.stdout);
  for (const { severity, message, remedy } of findings) {
    const word = severity === 'error' ? paint.red('error  ') : paint.yellow('warning');
    process.stdout.write(`${word}  ${message}\n         ${remedy}\n`);
  }
  if (facts) {
    const plans = facts.plans.length > 0 ? `plans ${facts.plans.join(', ')}` : 'no plans';
    const cron = facts.cron ? 'pg_cron can be used' : 'without pg_cron, which schedule_migration needs';
    terminal.info(
      `Engine ${facts.engine} on PostgreSQL ${facts.server}, ${plans}, ${counted(facts.triggers, 'trigger')} on tables, ${cron}.`,
    );
  }
  terminal.info(message);
  return exitCode;
}
