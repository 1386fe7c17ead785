/** One invocation of `imago install`, from the arguments to the exit code. */
import path from 'node:path';
import { HelpShown } from '../command/arguments.ts';
import { programName } from '../command/invocation.ts';
import { refuse } from '../command/refuse.ts';
import { writeLine } from '../command/streams.ts';
import { Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { addition } from './add.ts';
import { apply, expectWritable } from './changes.ts';
import { type Options, parseOptions } from './options.ts';
import { Problem } from './problem.ts';
import { readProject } from './project.ts';
import { removal } from './remove.ts';
import { outcome, refusal, type Said, say } from './report.ts';

/** Runs the command with these arguments (without node and script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = programName('install');
  let options: Options;
  try {
    options = parseOptions(argv, program);
  } catch (error) {
    if (error instanceof HelpShown) return 0;
    if (!(error instanceof UsageError)) throw error;
    return refuse(error, argv);
  }
  const terminal = new Terminal('info');
  try {
    const said = await install(options);
    if (options.json) writeLine(outcome(said));
    else say(said, terminal);
    return said.exitCode;
  } catch (error) {
    return failed(error, options, terminal);
  }
}

/** Does what the options say. Throws a {@link Problem} where that is refused. */
export async function install(options: Options): Promise<Said> {
  // npm run starts scripts in the package's folder, and the user is elsewhere.
  const from = process.env.npm_command === 'run-script' ? (process.env.INIT_CWD ?? '.') : '.';
  const project = readProject(path.resolve(from, options.folder));
  const work = options.uninstall
    ? removal(project, options.discardJournal)
    : addition(project, { plans: options.plans, functions: options.functions });
  expectWritable(project.folder, work.changes);
  if (!options.dryRun) await apply(project.folder, work.changes);
  const exitCode = work.kept.some(({ newer }) => newer) ? 3 : 0;
  return { project, work, options, exitCode };
}

function failed(error: unknown, { json }: Options, terminal: Terminal): number {
  if (!(error instanceof Problem)) throw error;
  terminal.error(`${error.message} (${error.code})`, error.hint);
  const line = refusal(error);
  if (json) writeLine(line);
  return line.exit_code;
}
