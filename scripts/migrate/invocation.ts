/** How the command was called, so that it can say what to type next. */
import path from 'node:path';
import type { Options } from './options.ts';

/** `npm run migrate`, `imago migrate`, or the script itself. */
export function programName(
  command: string,
  environment: NodeJS.ProcessEnv = process.env,
  script = process.argv[1] ?? '',
): string {
  if (environment.npm_lifecycle_event === command) return `npm run ${command}`;
  if (path.basename(script).startsWith('imago')) return `imago ${command}`;
  return `node ${path.relative(process.cwd(), script) || `scripts/${command}.ts`}`;
}

/** The command line with these flags. */
export function commandLine(name: string, flags: readonly string[]): string {
  if (flags.length === 0) return name;
  return [name, ...(name.startsWith('npm') ? ['--'] : []), ...flags].join(' ');
}

/** The flags that say which plan, for any follow-up. */
export function planFlags(options: Pick<Options, 'plan'>): string[] {
  return options.plan === 'avatars' ? [] : ['--plan', options.plan];
}

/** The flags that go on with what was interrupted. What holds for the run must be said again as it was. */
export function resumeFlags(options: Options): string[] {
  const flags = planFlags(options);
  if (options.action === 'rollback') flags.push('--rollback');
  if (options.viaFunction) flags.push('--via-function');
  if (options.force) flags.push('--force');
  if (!options.backup) flags.push('--no-backup');
  if (options.maxFailures !== undefined) flags.push('--max-failures', options.maxFailures);
  if (options.onFailure !== undefined) flags.push('--on-failure', options.onFailure);
  if (options.batchSize !== undefined) flags.push('--batch-size', String(options.batchSize));
  if (options.maxMs !== undefined) flags.push('--max-ms', String(options.maxMs));
  if (options.workers !== undefined) flags.push('--workers', String(options.workers));
  return flags;
}
