/** What the conformance suite has to know of a plan. */
import type { ISql, Sql } from 'postgres';
import type { Outside } from './callers.ts';

/** Something that the app does while a migration is under way: one statement, or one little transaction. */
export interface Writer {
  /** A few words, for what fails. */
  name: string;
  /** The side that it writes: what the app had before the plan, or what the plan has made. */
  side: 'old' | 'new';
  /** Writes; `n` grows from call to call, so that entities and values change. It must never fail. */
  write(sql: ISql, n: number): PromiseLike<unknown>;
  /** Whether a rollback has to report a conflict for what it wrote, instead of taking it back. False unless told otherwise. */
  conflicts?: boolean;
}

/** What the app does while the plan is under way, and what must hold then. */
export interface Fixture {
  /** How many entities; 60 unless told otherwise. */
  entities?: number;
  /** What the app goes on doing, on both sides where the plan has two. */
  writers: Writer[];
  /** No row is moved: the plan does its work once, and refuses the rows that stand in its way. */
  still?: boolean;
  /**
   * SQL that lists, as the column entity, the key of each entity whose two sides differ, row by row; null for a row of the
   * new side that belongs to nobody. An entity that has yet to be moved may be listed. No row: the sides are equal.
   */
  differing: string;
  /** A condition by table, as SQL writes its name, for the rows that the plan adds to tables which the app had before. */
  made?: Record<string, string>;
  /**
   * Makes one entity impossible to move, given its key as text. Without it a trigger on the first relation that the plan
   * writes refuses the rows of this entity.
   */
  poison?(sql: Sql, key: string, plan: string): PromiseLike<unknown>;
  /** Takes the poison away; given with poison. */
  mend?(sql: Sql, key: string, plan: string): PromiseLike<unknown>;
  /** Works the stages that are done outside of the database, where the plan has any. */
  outside?: Outside;
  /** What the plan itself is to do, each with SQL that lists the rows where it has not. */
  expectations?: { name: string; wrong: string }[];
  /** What must hold when the plan has been finalized, besides what holds for all plans. */
  finalized?(sql: Sql): Promise<void>;
}
