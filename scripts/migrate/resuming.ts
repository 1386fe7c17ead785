/** How to go on with what was interrupted. */
import { planFlags } from '../command/invocation.ts';
import type { Options } from './options.ts';

/**
 * The flags of `migrate` that go on with what was interrupted. What holds for the run must be said again as it was. A
 * run that was resumed, or told to retry, is one that goes on by itself.
 */
export function resumeFlags(options: Options): string[] {
  const flags = planFlags(options);
  if (options.action === 'rollback' || options.action === 'rollback-user') flags.push('--rollback');
  if (options.user !== undefined) flags.push('--user', options.user);
  if (options.action === 'finalize') flags.push('--finalize');
  if (options.allowDataLoss) flags.push('--allow-data-loss');
  if (options.action === 'cleanup') flags.push('--cleanup');
  if (options.olderThan !== undefined) flags.push('--older-than', `'${options.olderThan}'`);
  if (options.despiteForecast) flags.push('--despite-forecast');
  if (options.viaFunction) flags.push('--via-function');
  if (options.force) flags.push('--force');
  if (!options.backup) flags.push('--no-backup');
  if (options.maxFailures !== undefined) flags.push('--max-failures', options.maxFailures);
  if (options.onFailure !== undefined) flags.push('--on-failure', options.onFailure);
  flags.push(...cohortFlags(options));
  if (options.batchSize !== undefined) flags.push('--batch-size', String(options.batchSize));
  if (options.maxMs !== undefined) flags.push('--max-ms', String(options.maxMs));
  if (options.workers !== undefined) flags.push('--workers', String(options.workers));
  return flags;
}

/** Which entities the run takes first, as it is typed. */
export function cohortFlags({ cohort }: Options): string[] {
  return [
    ...(cohort?.percent === undefined ? [] : ['--percent', String(cohort.percent)]),
    ...(cohort?.keys ?? []).flatMap((key) => ['--key', `'${key.replaceAll("'", `'\\''`)}'`]),
    ...(cohort?.names ?? []).flatMap((name) => ['--cohort', name]),
  ];
}
