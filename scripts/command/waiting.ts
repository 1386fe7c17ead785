/** Says once what is waited for while nothing can be written, and once that it goes on. */
import type { Terminal } from './terminal.ts';

/** What the notes are made from: an answer that waits gives its reason, any other one ends the waiting. */
export type WaitingNotes = (reason: string | undefined) => void;

export function waitingNotes(terminal: Terminal): WaitingNotes {
  let isSaid = false;
  return (reason) => {
    if (reason !== undefined && !isSaid)
      terminal.warn(`Waiting: ${reason}. Nothing is lost, and it goes on by itself; Ctrl-C stops.`);
    if (reason === undefined && isSaid) terminal.info('Going on.');
    isSaid = reason !== undefined;
  };
}

/** The reason of an answer that waits, in words; undefined for all others. */
export function reasonOf({
  state,
  status = state,
  reason,
}: {
  state?: string | null | undefined;
  status?: string | null | undefined;
  reason?: string | null | undefined;
}): string | undefined {
  return status === 'waiting' ? reason || 'nothing can be written now' : undefined;
}
