/** An app with one plan: what goes on being written, and how its rows must be when all are moved or all are back. */
import type { ISql, Sql } from 'postgres';
import type { Model } from './model.ts';

/** What a write has changed, done to the model once it is known to be committed. */
export type Change = () => void;

/** The part of an app that one writer has for itself, so that the order of its writes is known. */
export interface Slice {
  /** A random key of a table's rows that are this writer's; undefined where there is none. */
  key(table: string, which?: (key: string) => boolean): string | undefined;
  /** A number from 0 up to, not including, a limit. */
  below(limit: number): number;
  /** Another number at each call, the same for nobody else. */
  next(): number;
  /** Whether a row came after the beginning, by this writer. */
  isNew(table: string, key: string): boolean;
  /** Makes a new row this writer's. */
  own(table: string, key: string): void;
}

/** One kind of write of the app. */
export interface Write {
  name: string;
  /** How often it is chosen, beside the others. */
  weight: number;
  /** Writes within the app's transaction; null where it finds nothing to write. */
  write(tx: ISql, model: Model, slice: Slice): Promise<Change | null>;
}

/** The sync of a write to the new side has given way to somebody: a careful app takes its write back and says so. */
export class GaveWay extends Error {}

export interface App {
  plan: string;
  /** SQL that makes it, as a path from the root; reads the setting sample.users. */
  file: string;
  entities: number;
  /** The tables that the plan walks, as SQL writes them. */
  walked: readonly string[];
  writes: readonly Write[];
  /** Conditions by table for the rows that are the app's, where the plan adds others. */
  mine?: Record<string, string>;
  /** What is wrong on the new side when everybody is moved. */
  moved(sql: Sql, model: Model): Promise<string[]>;
  /** What is wrong on the new side when everybody is back. */
  back(sql: Sql, model: Model): Promise<string[]>;
}

/** The one row that a statement gives back; undefined where it wrote none. */
export async function returned(
  rows: PromiseLike<readonly { row: unknown }[]>,
): Promise<Record<string, unknown> | undefined> {
  const [first] = await rows;
  return first?.row as Record<string, unknown> | undefined;
}
