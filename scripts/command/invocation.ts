/** How the command was called, so that it can say what to type next. */
import path from 'node:path';

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
export function planFlags(options: { plan: string }): string[] {
  return options.plan === 'avatars' ? [] : ['--plan', options.plan];
}
