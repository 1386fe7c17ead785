/** The options of the actions: how each is typed, and what its values may be. */
import { InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { cohortNames, maxFailures, percent } from '../../functions/_shared/requests.ts';
import { wholeNumber } from '../command/arguments.ts';
import { mayBeEmpty } from '../command/complete.ts';

interface Flag {
  typed: string;
  says: string;
  /** The flag that it goes with, where all are flags of one command. */
  of?: string;
  /** Takes what was read before, where the flag may be repeated. */
  value?: (value: string, before: unknown) => unknown;
  /** An empty text is a value. */
  mayBeEmpty?: boolean;
  choices?: readonly string[];
  /** Its value where none is typed. */
  preset?: string;
}

export const dryRunModes = ['sample', 'full', 'preflight'] as const;

/** By the name that commander gives each, in the order of --help. */
const flags = {
  statsOnly: { typed: '--stats-only', says: 'print the figures, change nothing' },
  dryRun: {
    typed: '--dry-run [mode]',
    says: 'run it and take it back; preflight only looks',
    choices: dryRunModes,
    preset: 'sample',
  },
  rollback: { typed: '--rollback', says: 'take the migration back' },
  user: { typed: '--user <id>', says: 'this user only', of: '--rollback', value: uuid },
  force: { typed: '--force', says: 'restore over later edits as well', of: '--rollback' },
  pause: { typed: '--pause', says: 'let the run rest' },
  resume: { typed: '--resume', says: 'end the rest and go on' },
  cancel: { typed: '--cancel', says: 'end the run where it is' },
  retryFailed: { typed: '--retry-failed', says: 'try again what was set aside' },
  finalize: {
    typed: '--finalize',
    says: 'end the migration for good, step by step; with --dry-run only show the steps',
  },
  allowDataLoss: {
    typed: '--allow-data-loss',
    says: 'also where the old side holds what the new one does not',
    of: '--finalize',
  },
  cleanup: {
    typed: '--cleanup',
    says: 'drop journal and log after the verification period; with --dry-run only say how much',
  },
  olderThan: {
    typed: '--older-than <period>',
    says: "the verification period (default: '30 days')",
    of: '--cleanup',
    value: period,
  },
  watch: { typed: '--watch', says: "show the progress of somebody else's run" },
  every: { typed: '--every <period>', says: "how often it is called (default: '10 seconds')", value: period },
  backup: { typed: '--no-backup', says: 'write no undo journal; then there is no rollback' },
  batchSize: {
    typed: '--batch-size <n>',
    says: 'entities per batch, 1 to 10000 (default: as many as fit the time)',
    value: wholeNumber(1, 10_000),
  },
  maxMs: {
    typed: '--max-ms <n>',
    says: 'time budget of one call in milliseconds',
    value: wholeNumber(1, 600_000),
  },
  workers: {
    typed: '--workers <n>',
    says: 'batches at the same time (default: 2, on one CPU 1)',
    value: wholeNumber(1, 64),
  },
  maxFailures: {
    typed: '--max-failures <n|p%>',
    says: 'set aside so many at most, then stop (default: 1%, at least 100)',
    value: failureLimit,
  },
  onFailure: { typed: '--on-failure <what>', says: 'what to do then', choices: ['stop', 'rollback'] },
  percent: {
    typed: '--percent <p>',
    says: 'take so many percent first, by a hash of the key; 100: all',
    value: share,
  },
  key: { typed: '--key <key>', says: 'take this entity first; repeatable', value: repeated },
  cohort: {
    typed: '--cohort <name>',
    says: 'take a cohort first that the owner has defined; repeatable',
    value: cohortName,
  },
  hours: { typed: '--hours <from-to>', says: 'work only then: 22:00-06:00, or 22:00-06:00 Europe/Berlin' },
  maxPerSecond: {
    typed: '--max-per-second <n>',
    says: 'move so many a second at most, all callers together',
    value: wholeNumber(1, 2_147_483_647),
  },
  throttleQuery: {
    typed: '--throttle-query <sql>',
    says: 'wait while this SQL answers true; set over DATABASE_URL',
  },
  ignoreSignal: {
    typed: '--ignore-signal <name>',
    says: 'a signal of the governor to leave out; repeatable',
    value: repeated,
  },
  despiteForecast: {
    typed: '--despite-forecast',
    says: 'begin also where the forecast says that the run does not fit',
  },
  viaFunction: {
    typed: '--via-function',
    says: 'call the edge functions migrate and rollback instead of SQL',
  },
  dump: { typed: '--dump <file>', says: 'take a full logical backup with pg_dump first' },
  sample: {
    typed: '--sample <n>',
    says: 'embedded only: number of users in the sample app',
    value: wholeNumber(0, 10_000_000),
  },
  reset: { typed: '--reset', says: 'embedded only: start over with a fresh database' },
} as const satisfies Record<string, Flag>;

export type FlagName = keyof typeof flags;

export const flagNames = Object.keys(flags) as FlagName[];

/** A flag as messages name it: `--dry-run`. */
export function flagText(name: FlagName): string {
  return flags[name].typed.split(' ', 1)[0] as string;
}

/** The option for the parser. `change` has what differs in one command. */
export function option(name: FlagName, change: Partial<Flag> = {}): Option {
  const { typed, says, of, value, choices, preset, ...flag }: Flag = { ...(flags[name] as Flag), ...change };
  const made = new Option(typed, of ? `with ${of}: ${says}` : says);
  // Without a value there is nothing to choose.
  if (choices && typed.includes(' ')) made.choices(choices);
  if (preset !== undefined && typed.includes(' ')) made.preset(preset);
  if (flag.mayBeEmpty) mayBeEmpty.add(made);
  return value ? made.argParser(value) : made;
}

/** Several, in the order in which they are typed. */
export function repeated(value: string, before: unknown): string[] {
  return [...((before as string[] | undefined) ?? []), ...(value === '' ? [] : [value])];
}

/** 0, as an empty text, takes the limit back. */
export function rateOrNone(value: string): number {
  return value === '' ? 0 : wholeNumber(0, 2_147_483_647)(value);
}

function uuid(value: string): string {
  const parsed = z.guid().safeParse(value);
  if (!parsed.success) throw new InvalidArgumentError('It must be the id of a user, a UUID.');
  return parsed.data;
}

function failureLimit(value: string): string {
  if (maxFailures.safeParse(value).success) return value;
  throw new InvalidArgumentError('It must be a number, like 250, or a percentage, like 2%.');
}

function share(value: string): number {
  const parsed = percent.safeParse(Number(value.replace(/ ?%$/, '')));
  if (!parsed.success) throw new InvalidArgumentError('It must be a percentage, like 10 or 0.5.');
  return parsed.data;
}

function cohortName(value: string, before: unknown): string[] {
  if (!cohortNames.safeParse([value]).success) {
    throw new InvalidArgumentError('It must be the name of a cohort, in lower case.');
  }
  return repeated(value, before);
}

function period(value: string): string {
  if (/^\d{1,6} ?(second|minute|hour|day|week|month|year)s?$/.test(value)) return value;
  throw new InvalidArgumentError("It must be a period, like '30 days'.");
}
