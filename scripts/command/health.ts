/** What the governor makes of a run, in words: for the bar, for who watches, in a log file and in the table at the end. */
import type { Health, Throttle } from '../../functions/_shared/health.ts';
import type { Words } from '../../functions/_shared/words.ts';
import { duration, whole } from './figures.ts';
import type { Terminal } from './terminal.ts';

/** How a run gets on. */
export interface Condition {
  kind: 'fine' | 'slowed' | 'waiting';
  /** In words; empty where all that is wrong has passed. */
  reason: string;
  /** What it is about. It stays the same while the figures in the reason move. */
  about: string;
  share: number;
  /** How long it has waited by then, where the database says so. */
  waitedMs?: number | undefined;
}

const fine: Condition = { kind: 'fine', reason: '', about: '', share: 1 };

/** What the answer of a batch says of it; undefined where it says nothing, like one that found everything locked. */
export function conditionOf({ status, reason, health, index }: Told): Condition | undefined {
  // The server is well: it is busy with what the run waits for.
  if (index && status === 'waiting') return waitingFor(reason);
  if (health) return fromHealth(health, reason);
  return status === 'waiting' ? waitingFor(reason) : undefined;
}

interface Told {
  status: string;
  /** Of an answer that waits. */
  reason?: string | null | undefined;
  health?: Health;
  /** Of an answer that waits for one to be built. */
  index?: string | null | undefined;
}

/** What the figures say of it. What was seen of a run that is over is not how it is now. */
export function conditionIn({ state, waiting, health }: Seen): Condition {
  if (typeof waiting === 'string' && !(health && health.share === 0)) return waitingFor(waiting);
  return health && state === 'running' ? fromHealth(health, waiting) : fine;
}

interface Seen {
  state?: string | null | undefined;
  /** Why nothing is done at the moment. */
  waiting?: string | null | undefined;
  health?: Health;
}

function waitingFor(reason: string | null | undefined): Condition {
  return { kind: 'waiting', reason: reason || 'nothing can be written now', about: 'waiting', share: 0 };
}

/** One that is out of its rate for a moment works as it is meant to: its share says so. */
function fromHealth(health: NonNullable<Health>, reason: string | null | undefined): Condition {
  const { share, waited_ms: waitedMs, reasons } = health;
  if (share === 1) return fine;
  const [first] = reasons.filter(({ level }) => level > 0);
  if (share > 0) return { kind: 'slowed', reason: first?.reason ?? '', about: keyOf(first), share };
  const about = reasons.filter(({ level }) => level > 1).map(keyOf);
  return {
    kind: 'waiting',
    reason: reason || first?.reason || 'what held the run has passed; it goes on in a moment',
    about: about.join(),
    share,
    waitedMs: waitedMs ?? undefined,
  };
}

function keyOf(reason: { signal: string; name?: string | null | undefined } | undefined): string {
  return reason ? `${reason.signal} ${reason.name ?? ''}` : '';
}

/** `waiting 14 s: slot pipelines keeps 3.1 of 4.0 GB`, `slowed to 25 %: …`; undefined where all is fine. */
export function conditionText(condition: Condition, ms = condition.waitedMs): string | undefined {
  const { kind, reason, share } = condition;
  if (kind === 'fine') return undefined;
  if (kind === 'slowed') return `slowed to ${percent(share)}: ${reason || 'it gets faster again'}`;
  return `waiting${ms === undefined || ms < 1000 ? '' : ` ${wholeSeconds(ms)}`}: ${reason}`;
}

/** The same below a heading that says which of the two it is. */
export function shortText({ kind, reason, share, waitedMs }: Condition): string {
  if (kind === 'slowed') return `to ${percent(share)}: ${reason || 'it gets faster again'}`;
  return waitedMs === undefined ? reason : `${reason} (for ${wholeSeconds(waitedMs)})`;
}

/** What is only told: it neither slows nor holds. */
export function noticesOf({ state, health }: Seen): string[] {
  if (!health || state !== 'running') return [];
  return health.reasons.filter(({ level }) => level === 0).map(({ reason }) => reason);
}

function wholeSeconds(ms: number): string {
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : duration(ms);
}

const percent = (share: number): string => `${Math.max(1, Math.round(share * 100))} %`;

/** Told of each answer; says what has changed. */
export type ConditionNotes = (condition: Condition | undefined) => void;

/** Says once that it waits or is slowed, and why, once more when that is for another reason, and once that it goes on. */
export function conditionNotes(terminal: Terminal): ConditionNotes {
  let last = fine;
  return (condition) => {
    // What has no reason of its own is on its way back.
    if (!condition || (condition.kind === last.kind && ['', last.about].includes(condition.about))) return;
    const { kind, reason, share } = condition;
    const slowed = `slowed to ${percent(share)}: ${reason}.`;
    if (kind === 'waiting')
      terminal.warn(`Waiting: ${reason}. Nothing is lost, and it goes on by itself; Ctrl-C stops.`);
    else if (last.kind === 'waiting') terminal.info(reason ? `Going on, ${slowed}` : 'Going on.');
    else if (reason) terminal.warn(`S${slowed.slice(1)}`);
    else if (last.about) terminal.info('At full speed again.');
    last = condition;
  };
}

/** `works at 22:00-06:00 UTC, at most 800 users a second, leaves vacuum out; role:postgres set it on 2026-11-29 18:08 UTC`. */
export function limitsText(throttle: Throttle, { entity_plural }: Words): string | undefined {
  if (!throttle) return undefined;
  const { hours, max_per_second: rate, throttle_query, ignore, set_by, set_at } = throttle;
  const limits = [
    hours && `works at ${hours}`,
    rate && `at most ${whole(rate)} ${entity_plural} a second`,
    throttle_query && 'waits while its throttle_query is true',
    ignore.length > 0 && `does not look at ${ignore.join(', ')}`,
  ].filter(Boolean);
  return limits.length > 0 ? `${limits.join(', ')}; ${set_by} set it on ${moment(set_at)}` : undefined;
}

/** By the minute, and by one clock for all who read it. */
function moment(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
