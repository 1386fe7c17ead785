/** The ways to do the migration that are compared. */

export type MethodKey = 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j' | 'k' | 'p' | 'r';

export interface Method {
  key: MethodKey;
  title: string;
  /** Whether Imago does it. The others work on the same schema, without Imago's triggers. */
  isImago: boolean;
  /** Whether the columns that point at avatars have their indexes from the start; else they get them at the end. */
  indexedFirst: boolean;
  /** Whether it comes in through the Data API. */
  overHttp: boolean;
  /** Measured beside an app only: alone it does what another line does. */
  besideApp?: boolean;
  /** Whether it comes in through pgbouncer, in transaction mode. */
  overPooler?: boolean;
  /** Connections that work at the same time. */
  connections: number;
  /**
   * How long it works before another line of its group does, in milliseconds; what it has begun it ends. Without a limit
   * it works from its beginning to its end, in the middle of the others' time.
   */
  turnMs?: number;
  /** The most users it is measured on; its speed is what it would be on all. */
  most?: number;
}

/** Users that one HTTP call each is measured on: it takes as long for each, so more would only take longer. */
const singles = 2000;

const imago = { isImago: true, indexedFirst: false, overHttp: false, connections: 1 };
const naive = { ...imago, isImago: false, indexedFirst: true };
const turnMs = 2000;

export const methods: readonly Method[] = [
  // While its transaction is open no version of a row can be forgotten, in no database: not with somebody else at work.
  { key: 'a', title: 'plain SQL, one big transaction', ...naive, indexedFirst: false },
  { key: 'b', title: 'Imago, one worker', ...imago, turnMs },
  // At the end of a turn one of the two would wait for the other.
  { key: 'c', title: 'Imago, two workers', ...imago, connections: 2 },
  { key: 'd', title: 'Imago without the journal', ...imago, turnMs },
  { key: 'e', title: 'Imago over HTTP, by the command', ...imago, overHttp: true, turnMs },
  { key: 'f', title: 'PL/pgSQL loop user by user, 100 a call', ...naive, turnMs },
  { key: 'g', title: 'one HTTP call per user', ...imago, overHttp: true, most: singles },
  { key: 'h', title: 'LIMIT/OFFSET pages of 1,000', ...naive },
  { key: 'i', title: 'where avatar_id is null limit 1,000', ...naive },
  { key: 'j', title: 'the same pages for update skip locked', ...naive, besideApp: true },
  { key: 'k', title: 'a session that only computes, half of the time', ...naive, besideApp: true },
  { key: 'p', title: 'Imago, one worker, by pgbouncer', ...imago, turnMs, besideApp: true, overPooler: true },
  { key: 'r', title: 'rollback of b by Imago', ...imago, turnMs },
];

/**
 * Lines whose differences matter. Those of a group work in turn on one server, so that whatever else the machine does
 * meets all of them; no more than three, so that their databases fit the server's memory as that of one does.
 */
const groups: readonly (readonly MethodKey[])[] = [
  ['a', 'b', 'c'],
  ['b', 'd', 'e'],
  ['b', 'f', 'r'],
];

/** The groups of a round: what is wanted, without a group that only says again what another one says. */
export function groupsOf(wanted: readonly MethodKey[]): MethodKey[][] {
  const found = groups
    .map((group) => group.filter((key) => wanted.includes(key)))
    .filter((group) => group.some((key) => key !== 'b'));
  return found.length === 0 && wanted.includes('b') ? [['b']] : found;
}

/** What is so far from the others that it is measured once, by itself. */
export function alone(wanted: readonly MethodKey[]): MethodKey[] {
  return wanted.filter((key) => !groups.some((group) => group.includes(key)));
}

/** The method of a key. */
export function methodOf(key: MethodKey): Method {
  const method = methods.find((candidate) => candidate.key === key);
  if (!method) throw new Error(`no method ${key}`);
  return method;
}
