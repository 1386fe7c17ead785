/** Sessions on the target of `db`. */
import type { Sql } from 'postgres';
import { CallError } from '../call-error.ts';
import type { Terminal } from '../command/terminal.ts';
import { openDatabase } from '../connection/open.ts';
import { Problem } from './problem.ts';

/** A session of its own. */
export function openTarget(url: string, terminal: Terminal): Sql {
  return openDatabase(url, {
    settings: { application_name: 'imago db' },
    warn: (line) => terminal.warn(line),
  });
}

/** Why a target does not answer. */
export function unreachable(error: unknown): Problem {
  if (error instanceof CallError) return new Problem('unreachable', error.message, error.hint);
  const { code, errno } = error as { code?: string; errno?: string };
  return new Problem(
    'unreachable',
    `The database cannot be reached (${code ?? errno ?? 'no reason given'}).`,
    'Check host, port, user and password of DATABASE_URL, and that the project is not paused.',
  );
}
