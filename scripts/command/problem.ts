/** What went wrong, as everybody who tells it needs it. */
import { CallError } from '../client.ts';

/** An error as code, message and hint. */
export function problemOf(error: unknown): { code: string; message: string; hint?: string | undefined } {
  if (error instanceof CallError) return { code: error.code, message: error.message, hint: error.hint };
  const { name, message, hint } = error as Error & { hint?: string };
  return { code: name, message, hint };
}
