/** What two databases can differ in: one change of each kind, all in names of their own, so that they can be made together. */
export interface Change {
  /** What `check` says: kind and name of the object, then what is another one in it. */
  says: string;
  /** What is there before. */
  before: string;
  sql: string;
  /** Why `migrate` does not write it. */
  unwritten?: string;
}

/** The change of an object, which is another one after it. */
export function changed(object: string, aspects: string, before: string, sql: string): Change {
  return { says: `changed ${object}: ${aspects}`, before, sql };
}

/** An object that is there after it. */
export function added(object: string, before: string, sql: string): Change {
  return { says: `added ${object}`, before, sql };
}

export const table = (name: string, columns = 'id int primary key, a text') =>
  `create table public.${name} (${columns});`;
