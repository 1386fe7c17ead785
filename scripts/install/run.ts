/** One invocation of `imago install`, from the arguments to the exit code. */
import path from 'node:path';
import { programName } from '../command/invocation.ts';
import { runShell } from '../command/shell.ts';
import { writeLine } from '../command/streams.ts';
import type { Terminal } from '../command/terminal.ts';
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
  return await runShell<Options, Said | Problem>(argv, {
    command: 'install',
    read: () => parseOptions(argv, program),
    act: install,
    failed: (_, error) => {
      if (error instanceof Problem) return error;
      throw error;
    },
    report: (options, ending, terminal) => {
      if (ending instanceof Problem) return failed(ending, options, terminal);
      if (options.json) writeLine(outcome(ending));
      else say(ending, terminal);
      return ending.exitCode;
    },
  });
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

function failed(problem: Problem, { json }: Options, terminal: Terminal): number {
  terminal.error(`${problem.message} (${problem.code})`, problem.hint);
  const line = refusal(problem);
  if (json) writeLine(line);
  return line.exit_code;
}
