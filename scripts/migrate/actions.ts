/** What can be done with a plan: each action, its command, the flag of `migrate` that is the same, what it can use. */
import type { FlagName } from './flags.ts';

/** What one invocation does. Exactly one of these. */
export type Action =
  | 'migrate'
  | 'rollback'
  | 'rollback-user'
  | 'dry-run'
  | 'stats'
  | 'watch'
  | 'pause'
  | 'resume'
  | 'cancel'
  | 'retry-failed'
  | 'finalize'
  | 'cleanup'
  | 'schedule'
  | 'unschedule'
  | 'throttle';

/** The commands of the bin: `imago rollback`. */
export const commandNames = [
  'migrate',
  'dry-run',
  'status',
  'watch',
  'rollback',
  'pause',
  'resume',
  'cancel',
  'retry',
  'finalize',
  'cleanup',
  'schedule',
  'unschedule',
  'throttle',
] as const;
export type CommandName = (typeof commandNames)[number];

interface Rule {
  command: CommandName;
  /** The flag of `migrate` that chooses it; without one it is a command only. */
  flag?: FlagName;
  /**
   * What it can make use of. An option that would be ignored is refused instead: who types `--stats-only --reset` means
   * something, and neither reading of it is safe to guess.
   */
  takes: readonly FlagName[];
}

/** They hold for all runs of the plan, also where a later command leaves them out. */
export const limits = ['hours', 'maxPerSecond', 'throttleQuery', 'ignoreSignal'] as const;

/** Which entities a run takes first. */
const cohort = ['percent', 'key', 'cohort'] as const;

const driving = [
  'batchSize',
  'maxMs',
  'workers',
  'backup',
  'maxFailures',
  'onFailure',
  ...cohort,
  ...limits,
  'dump',
  'viaFunction',
  'sample',
] as const;

export const actions: Record<Action, Rule> = {
  migrate: { command: 'migrate', takes: [...driving, 'despiteForecast', 'reset'] },
  rollback: {
    command: 'rollback',
    flag: 'rollback',
    takes: ['force', 'maxMs', 'workers', ...limits, 'dump', 'viaFunction'],
  },
  'rollback-user': {
    command: 'rollback',
    flag: 'rollback',
    takes: ['user', 'force', 'dump', 'viaFunction'],
  },
  'dry-run': {
    command: 'dry-run',
    flag: 'dryRun',
    takes: ['batchSize', 'maxMs', ...cohort, 'viaFunction', 'sample', 'reset'],
  },
  stats: { command: 'status', flag: 'statsOnly', takes: [] },
  watch: { command: 'watch', flag: 'watch', takes: [] },
  pause: { command: 'pause', flag: 'pause', takes: ['viaFunction'] },
  resume: { command: 'resume', flag: 'resume', takes: driving },
  cancel: { command: 'cancel', flag: 'cancel', takes: ['viaFunction'] },
  'retry-failed': { command: 'retry', flag: 'retryFailed', takes: driving },
  finalize: { command: 'finalize', flag: 'finalize', takes: ['allowDataLoss', 'dryRun'] },
  cleanup: { command: 'cleanup', flag: 'cleanup', takes: ['olderThan', 'dryRun'] },
  schedule: { command: 'schedule', takes: ['every', ...cohort, 'finalize'] },
  unschedule: { command: 'unschedule', takes: [] },
  throttle: { command: 'throttle', takes: limits },
};

/** The action of a command as it is typed without options. */
export function actionOf(command: CommandName): Action {
  return (Object.keys(actions) as Action[]).find((name) => actions[name].command === command) as Action;
}

/** All that a command can make use of, in the order in which --help lists it. */
export function flagsOf(command: CommandName): FlagName[] {
  const rules = Object.values(actions).filter((rule) => rule.command === command);
  return [...new Set(rules.flatMap(({ takes }) => takes))];
}
