/** The ways to do the migration that are compared. */

export type MethodKey = 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'r';

export interface Method {
  key: MethodKey;
  title: string;
  /** Whether Imago does it. The others work on the same schema, without Imago's triggers. */
  isImago: boolean;
  /** Whether the columns that point at avatars have their indexes from the start; else they get them at the end. */
  indexedFirst: boolean;
  /** Whether it comes in through the Data API. */
  overHttp: boolean;
  /** Whether small differences matter, so that it is measured more than once, in turn with the others of this kind. */
  repeated: boolean;
  /** The most users it is measured on; its speed is what it would be on all. */
  most?: number;
}

/** Users that one HTTP call each is measured on: it takes as long for each, so more would only take longer. */
const singles = 2000;

const imago = { isImago: true, indexedFirst: false, overHttp: false, repeated: true };
const naive = { isImago: false, indexedFirst: true, overHttp: false, repeated: false };

/** In the order in which they are measured within a round. */
export const methods: readonly Method[] = [
  { key: 'a', title: 'plain SQL, one big transaction', ...naive, indexedFirst: false, repeated: true },
  { key: 'b', title: 'Imago, one worker', ...imago },
  { key: 'r', title: 'rollback of b by Imago', ...imago },
  { key: 'd', title: 'Imago without the journal', ...imago },
  { key: 'c', title: 'Imago, two workers', ...imago },
  { key: 'e', title: 'Imago over HTTP, by the command', ...imago, overHttp: true, repeated: true },
  { key: 'f', title: 'PL/pgSQL loop user by user, 100 a call', ...naive, repeated: true },
  { key: 'g', title: 'one HTTP call per user', ...imago, overHttp: true, repeated: false, most: singles },
  { key: 'h', title: 'LIMIT/OFFSET pages of 1,000', ...naive },
  { key: 'i', title: 'where avatar_id is null limit 1,000', ...naive },
];

/** The method of a key. */
export function methodOf(key: MethodKey): Method {
  const method = methods.find((candidate) => candidate.key === key);
  if (!method) throw new Error(`no method ${key}`);
  return method;
}
