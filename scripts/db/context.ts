/** What every command of `db` works with. */
import type { Sql } from 'postgres';
import type { Terminal } from '../command/terminal.ts';
import type { Options } from './options.ts';
import type { Shadows } from './shadow.ts';
import type { Target } from './target.ts';

export interface Context {
  options: Options;
  /** The project's folder. */
  folder: string;
  terminal: Terminal;
  signal: AbortSignal;
  /** How the command was called: `npm run db --`, `imago db`. */
  program: string;
  target: Target;
  /** A session on the target, which is reached, and where needed started, now. */
  connect(): Promise<{ sql: Sql; url: string }>;
  /** Where shadow databases are made; the server is started now. */
  shadows(): Promise<Shadows>;
  /** A question to a person; undefined where nobody is there. */
  ask: ((question: string) => Promise<boolean>) | undefined;
  /** Ends the command unless somebody agrees. On the embedded database only what is `grave` is asked about. */
  confirm(question: string, options?: { grave?: boolean }): Promise<void>;
}

export type Status = 'done' | 'drift' | 'declined' | 'interrupted';

/** What a command hands over for the end. */
export interface Ending {
  status: Status;
  /** What happened, in a sentence. */
  message: string;
  /** What people read on stdout before the message. */
  lines?: string[];
  /** What to type next. */
  next?: string[];
  /** What --json adds. */
  data?: Record<string, unknown>;
}

export const exitCodes: Record<Status, number> = { done: 0, drift: 3, declined: 3, interrupted: 130 };

/** The question was answered with no. */
export class Declined extends Error {
  override readonly name = 'Declined';
}
