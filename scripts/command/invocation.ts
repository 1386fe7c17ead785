/** How the command was called, so that it can say what to type next. */
import path from 'node:path';

/** The commands that are scripts of package.json as well. */
export const npmScripts: ReadonlySet<string> = new Set([
  'migrate',
  'validate',
  'doctor',
  'db',
  'plan',
  'local',
  'dashboard',
  'fleet:demo',
]);

/** `npm run migrate`, `imago migrate`, or the script itself. */
export function programName(
  command: string,
  environment: NodeJS.ProcessEnv = process.env,
  script = process.argv[1] ?? '',
): string {
  if (environment.npm_lifecycle_event === command && npmScripts.has(command)) return `npm run ${command}`;
  if (path.basename(script).startsWith('imago')) return `${binName(environment)} ${command}`;
  return `node ${path.relative(process.cwd(), script) || `scripts/${command}.ts`}`;
}

/** The bin as it is typed: below npm it is not on the PATH of the shell, and without --no npx would fetch a package of this name. */
export function binName({ npm_lifecycle_event: script }: NodeJS.ProcessEnv = process.env): string {
  if (script === undefined) return 'imago';
  return script === 'imago' ? 'npm run imago --' : 'npx --no imago';
}

/** Another command, called in the same way as this one. */
export function siblingName(program: string, command: string): string {
  return program.replace(/[\w-]+(?=(\.ts)?$)/, command);
}

/** The command line with these flags. */
export function commandLine(name: string, flags: readonly string[]): string {
  if (flags.length === 0) return name;
  return [commandPrefix(name), ...flags].join(' ');
}

/** The name with all that stands before arguments: `npm run db --`, `imago db`. */
export function commandPrefix(name: string): string {
  return wantsDashes(name) ? `${name} --` : name;
}

/** What stands behind the name in the first line of --help. */
export function usageText(name: string, text: string): string {
  return wantsDashes(name) ? `-- ${text}` : text;
}

/** npm keeps options for itself that do not stand behind two dashes. */
function wantsDashes(name: string): boolean {
  return name.startsWith('npm run ') && !/ --( |$)/.test(name);
}

/** A list of examples for --help, each with what it is for. */
export function exampleText(
  program: string,
  examples: readonly (readonly [flags: string, text: string])[],
): string {
  const lines = examples.map(([flags, text]) => [exampleLine(program, flags), text] as const);
  const width = Math.max(...lines.map(([line]) => line.length));
  return ['Examples:', ...lines.map(([line, text]) => `  ${line.padEnd(width)}  ${text}`)].join('\n');
}

/** What npm says itself has no place before data. */
function exampleLine(program: string, flags: string): string {
  const line = commandLine(program, flags === '' ? [] : [flags]);
  return /(^| )--json\b/.test(flags) ? line.replace(/^npm run /, 'npm run -s ') : line;
}

/** The flags that say which plan, for any follow-up. */
export function planFlags(options: { plan: string }): string[] {
  return options.plan === 'avatars' ? [] : ['--plan', options.plan];
}
