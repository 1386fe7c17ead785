/** Waits while nothing can be written: the command goes on by itself. */
import { pause } from '../command/retry.ts';
import type { Context } from './context.ts';

interface Waiting {
  reason?: string | null | undefined;
  retry_after_ms: number;
}

/** Says once what is waited for, and waits as long as SQL asks for; returns early when interrupted. */
export async function untilWritable(
  { terminal, signal }: Context,
  { reason, retry_after_ms }: Waiting,
  isSaid: boolean,
): Promise<void> {
  if (!isSaid)
    terminal.warn(`Waiting: ${reason ?? 'nothing can be written now'}. It goes on by itself; Ctrl-C stops.`);
  await pause(retry_after_ms, signal);
}
