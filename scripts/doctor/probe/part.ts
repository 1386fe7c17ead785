/** What a probe has tried, in words that may be shown to anybody. */
import { problemOf } from '../../command/problem.ts';

export interface Part {
  name: string;
  /** Skipped: it does not apply here, and the text says why. */
  status: 'ok' | 'failed' | 'skipped';
  /** Made of words of ours, figures, and what {@link plain} lets through; never of messages, which may quote anything. */
  text: string;
}

/** One thing to try: gives what there is to say of it, or throws. */
export type Attempt = () => Promise<string>;

/** It does not apply here. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** It was tried and is not as it should be; the message is made of words of ours. */
export class Failed extends Error {
  override readonly name = 'Failed';
}

/** Tries one thing, whatever becomes of it. */
export async function attempt(name: string, work: Attempt): Promise<Part> {
  try {
    return { name, status: 'ok', text: await work() };
  } catch (error) {
    if (error instanceof Skipped) return { name, status: 'skipped', text: error.message };
    return { name, status: 'failed', text: error instanceof Failed ? error.message : codeOf(error) };
  }
}

/** SQLSTATEs, codes of PostgREST and of Node, and our own. */
const knownCode =
  /^(IM\d{3}|[0-9A-Z]{5}|PGRST[0-9A-Z]{1,3}|E[A-Z]{3,14}|[A-Z]+_[A-Z_]{3,30}|NETWORK|TIMEOUT|TLS|HTTP|REDIRECT|ANSWER|ENGINE)$/;

/** All that is shown of an error: its code. A server may have put anything into a code, too. */
export function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  const text = String(code ?? problemOf(error).code);
  return knownCode.test(text) ? text : 'no code';
}

/** A value of the server that is short and plain, like a version; of all others only that there is one. */
export function plain(value: unknown): string {
  const text = String(value ?? 'none');
  return /^[\w.+-]{1,24}$/.test(text) ? text : '(not shown)';
}
