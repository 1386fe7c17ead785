/** How to go on with what was interrupted. */
import { planFlags } from '../command/invocation.ts';
import type { Options } from './options.ts';

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
