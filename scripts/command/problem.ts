/** What went wrong, as everybody who tells it needs it. */
import { CallError } from '../call-error.ts';
import { UsageError } from './usage.ts';

/** An error as code, message and hint. */
export function problemOf(error: unknown): { code: string; message: string; hint?: string | undefined } {
  if (error instanceof CallError) return { code: error.code, message: error.message, hint: error.hint };
  const { name, message, hint } = error as Error & { hint?: string };
  return { code: name, message, hint };
}

/** Refusals of SQL that are about what was typed: no such plan, a size, an interval or a value outside its range. */
const usageCodes: ReadonlySet<string> = new Set(['IM001', 'IM002', 'IM015', 'IM033']);

/** Whether an error is about what was typed, no matter who found it. */
export function isWrongUsage(error: unknown): boolean {
  return error instanceof UsageError || usageCodes.has(problemOf(error).code);
}
