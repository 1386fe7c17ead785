/**
 * npm takes for itself what stands before `--`, and hands it on only as npm_config_*: such an option must not be lost.
 * pnpm, yarn 1 and bun do so with what stands before the script; bun hands on nothing. Later versions of yarn pass on or
 * refuse what they get.
 *
 * A name that npm does not know was meant for us: it is refused whatever its value, and so is what nearly is such a
 * name. npm knows four of ours. `dry_run` is refused as well, as who loses it does the opposite of what was meant.
 * `force` and `json` are, unless an .npmrc sets them. `yes` alone is not: without it the command asks.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command, Option } from 'commander';
import { z } from 'zod';
import { optionsIn } from './complete.ts';
import { commandLine } from './invocation.ts';
import { UsageError } from './usage.ts';

/** Names of npm that are ours, too, and whether to refuse them. */
const ofNpm: Readonly<Record<string, (environment: NodeJS.ProcessEnv) => boolean>> = {
  dry_run: () => true,
  force: (environment) => !isInNpmrc('force', environment),
  json: (environment) => !isInNpmrc('json', environment),
  yes: () => false,
};

/** Names of npm that look like a beginning of ours. */
const npmsAlone: ReadonlySet<string> = new Set(['include', 'link']);

const prefix = 'npm_config_';

/** Whether npm has handed on anything at all. */
export function isBelowNpm(environment: NodeJS.ProcessEnv): boolean {
  return Object.keys(environment).some((name) => name.startsWith(prefix));
}

/** An option that npm has kept, and what npm made of it. */
interface Kept {
  option: Option;
  /** As it was typed, as far as that can be told. */
  typed: string;
  value: string;
  /** It is enough to refuse the call. */
  refused: boolean;
}

/** Refuses the call where npm has kept one of the options that `all` have; `own` is the parser of the command. */
export function expectNothingKept(
  argv: readonly string[],
  own: Command,
  all: readonly Command[],
  environment: NodeJS.ProcessEnv,
): void {
  const ours = optionsIn(own, argv[0]);
  const known = [
    ...ours,
    ...all.flatMap((parser) => [...parser.options, ...parser.commands.flatMap(({ options }) => options)]),
  ];
  const isOurs = ({ option }: Kept): boolean => ours.some(({ long }) => long === option.long);
  // Builds of native code are told a target, too: only our own command that has one can have lost it.
  const isOfBuilds = (one: Kept): boolean => one.option.long === '--target' && !isOurs(one);
  const hasArrived = ({ option }: Kept): boolean =>
    argv.some((word) => [option.long, option.short].includes(word.split('=', 1)[0]));
  const kept = [...keptOptions(known, environment), ...keptOfLine(known, environment)].filter(
    (one) => (one.refused || isOurs(one)) && !hasArrived(one) && !isOfBuilds(one),
  );
  if (!kept.some(({ refused }) => refused)) return;
  const strange = kept.find((one) => !isOurs(one));
  const names = [...new Set(kept.map(({ typed }) => typed))].join(', ');
  const remedy = strange
    ? `${own.name()} has no ${strange.option.long}: ${commandLine(own.name(), ['--help'])} lists its options.`
    : `Type: ${commandLine(own.name(), completed(argv, own, kept))}`;
  const [, manager = 'npm'] = /^(\w+)\//.exec(environment.npm_config_user_agent ?? '') ?? [];
  const place = manager === 'npm' ? '--' : 'the name of the script';
  throw new UsageError(
    `${manager} has kept ${names} for itself: what stands before ${place} is ${manager}'s. Nothing was done.`,
    `${remedy}\nWhere you have not typed it, look for it in .npmrc and in the environment (${prefix}…).`,
  );
}

/** Our options among what npm hands on. */
export function keptOptions(known: readonly Option[], environment: NodeJS.ProcessEnv): Kept[] {
  const kept: Kept[] = [];
  for (const [variable, value = ''] of Object.entries(environment)) {
    // npm reads such a variable in capitals, too, and then hands it on as it is.
    const lower = variable.toLowerCase();
    if (!lower.startsWith(prefix)) continue;
    const name = lower.slice(prefix.length);
    const option = known.find((one) => nameOf(one) === name) ?? nearest(known, name);
    if (option === undefined) continue;
    const { [nameOf(option)]: refuses } = ofNpm;
    const isNpms = refuses !== undefined && nameOf(option) === name;
    if (isNpms && isOff(value)) continue;
    const refused = !isNpms || refuses(environment);
    for (const one of value.split('\n\n'))
      kept.push({ option, typed: typedAs(name, option, one), value: one, refused });
  }
  // --plan is four of npm's options by their letters: parseable, long, all and no-yes; --plans is one more.
  const plan = known.find(({ long }) => long === '--plan' || long === '--plans');
  const letters = ['parseable', 'long', 'all'].every((name) => environment[prefix + name] === 'true');
  if (plan && letters) kept.push({ option: plan, typed: plan.long ?? '', value: 'true', refused: true });
  return kept;
}

const yarnLine = z.object({ original: z.array(z.string()) });

/** Our options in the line that was typed, where there is nothing else to know it by. */
function keptOfLine(known: readonly Option[], environment: NodeJS.ProcessEnv): Kept[] {
  return typedWords(environment).flatMap((word) => {
    const [typed = '', value = 'true'] = word.split('=');
    const option = known.find(({ long }) => long === typed);
    return option ? [{ option, typed, value, refused: true }] : [];
  });
}

/** yarn 1 hands on the line; bun, which is the parent of what it starts, has it as its own. */
function typedWords({ npm_config_argv: line, npm_config_user_agent: agent }: NodeJS.ProcessEnv): string[] {
  if (agent?.startsWith('bun/')) return commandLineOf(process.ppid);
  return yarnLine.safeParse(parsed(line)).data?.original ?? [];
}

/** The words of a process; none where the system does not tell. */
function commandLineOf(pid: number): string[] {
  const words = textOf(`/proc/${pid}/cmdline`);
  if (words !== '') return words.split('\0');
  const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  return (stdout ?? '').split(/\s+/);
}

function parsed(json = ''): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** As npm would call it. */
function nameOf({ long }: Option): string {
  return (long ?? '').replace(/^--(no-)?/, '').replaceAll('-', '_');
}

const isOff = (value: string): boolean => value === '' || value === 'false';

function typedAs(name: string, option: Option, value: string): string {
  const dashed = name.replaceAll('_', '-');
  return isOff(value) && (option.negate || option.isBoolean()) ? `--no-${dashed}` : `--${dashed}`;
}

/** The option that this name is a slip of: without hyphens, its beginning, or one letter off. */
function nearest(known: readonly Option[], name: string): Option | undefined {
  const typed = name.replaceAll(/[_-]/g, '');
  if (typed.length < 4 || npmsAlone.has(name)) return undefined;
  return known.find((option) => {
    const meant = nameOf(option).replaceAll('_', '');
    return meant === typed || (meant.length > 5 && (meant.startsWith(typed) || isSlip(typed, meant)));
  });
}

/** One letter too many, too few, another one, or two the other way round. */
function isSlip(typed: string, meant: string): boolean {
  let from = 0;
  while (from < typed.length && typed[from] === meant[from]) from += 1;
  const [a, b] = [typed.slice(from), meant.slice(from)];
  const isSwap = a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2);
  return isSwap || a.slice(1) === b || a === b.slice(1) || a.slice(1) === b.slice(1);
}

/** The arguments with what npm has kept. A value that npm has not taken along stands among the arguments. */
function completed(argv: readonly string[], own: Command, kept: readonly Kept[]): string[] {
  const rest = [...argv];
  const takesWords = own.commands.length > 0 || own.registeredArguments.length > 0;
  const flags = kept.flatMap(({ option, value }): string[] => {
    const { long = '', negate, flags: syntax } = option;
    if (option.isBoolean() || negate) return isOff(value) === (negate === true) ? [long] : [];
    if (value !== 'true' && value !== '') return [`${long}=${quoted(value)}`];
    const at = takesWords ? -1 : rest.findIndex((word) => fits(word, option));
    const [word] = at < 0 ? [] : rest.splice(at, 1);
    if (word !== undefined) return [`${long}=${quoted(word)}`];
    return [option.optional ? long : syntax.replace(/^.*?(--)/, '$1')];
  });
  return [...rest.filter((word) => word !== '').map(quoted), ...flags];
}

function fits(word: string, { argChoices }: Option): boolean {
  return word !== '' && !word.startsWith('-') && (argChoices?.includes(word) ?? true);
}

/** As the shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function isInNpmrc(name: string, environment: NodeJS.ProcessEnv): boolean {
  const {
    npm_config_userconfig: user,
    npm_config_globalconfig: all,
    npm_config_local_prefix: here,
  } = environment;
  const files = [user, all, here && path.join(here, '.npmrc')].filter((file) => file !== undefined);
  return files.some((file) => new RegExp(`^\\s*${name}\\s*(=|$)`, 'm').test(textOf(file)));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
