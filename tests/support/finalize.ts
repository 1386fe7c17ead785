import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { onTestFinished } from 'vitest';
import { type Answer, call, value } from './call.ts';
import { freshDatabase, type TestDatabase } from './database.ts';
import { migrateAll } from './imago.ts';
import { createPlan, PLAN } from './plan.ts';

const ROUNDS = 200;

async function untilDone(sql: Sql, name: string, args: Record<string, unknown>): Promise<Answer[]> {
  const answers: Answer[] = [];
  while (answers.length < ROUNDS) {
    const answer = await call(sql, name, args);
    answers.push(answer);
    if (!answer.has_more) return answers;
    await delay(answer.retry_after_ms);
  }
  throw new Error(`${name} is not done after ${ROUNDS} calls: ${JSON.stringify(answers.at(-1))}`);
}

/** Calls finalize_migration until it has no more; returns every answer. */
export async function finalizeAll(sql: Sql, args: Record<string, unknown> = {}): Promise<Answer[]> {
  return await untilDone(sql, 'finalize_migration', args);
}

/** Calls cleanup_migration until it has no more; returns every answer. */
export async function cleanUpAll(sql: Sql, args: Record<string, unknown> = {}): Promise<Answer[]> {
  return await untilDone(sql, 'cleanup_migration', args);
}

/** A finalize or clean-up step: its name, what its routine does, and what it is. */
export interface Step {
  name: string;
  /** The body of the routine, in PL/pgSQL. */
  body: string;
  returns?: 'void' | 'jsonb' | 'boolean';
  phase?: 'prepare' | 'finalize' | 'cleanup';
  reversible?: boolean;
  /** Makes it walk: the routine has the keys of the next rows of this relation, integers, in `keys`. */
  source?: string;
  /** Makes it direct. */
  statement?: string;
}

/** Gives a plan these steps, in this order. */
export async function addSteps(sql: Sql, steps: Step[], plan = PLAN): Promise<void> {
  for (const [index, step] of steps.entries()) {
    const routine = `step_${index + 1}`;
    await sql.unsafe(
      `create function ${plan}.${routine}(${step.source ? 'keys integer[]' : ''}) returns ${step.returns ?? 'void'} language plpgsql as $step$ begin ${step.body} end $step$`,
    );
    await sql`
      insert into imago.plan_step (plan, position, name, routine, phase, reversible, source, direct, statement)
      values (${plan}, ${100 + index}, ${step.name}, ${routine}, ${step.phase ?? 'finalize'}, ${step.reversible ?? false},
              ${step.source ?? null}, ${step.statement !== undefined}, ${step.statement ?? null})`;
  }
}

/** A plan of its own on forty items, each with a value that moves from one column to the other; migrated. */
export async function itemsPlan(sql: Sql, steps: Step[] = [], { migrated = true } = {}): Promise<void> {
  await sql.unsafe(`
    create table public.items (id integer primary key, old text, fresh text);
    insert into public.items select i, 'value ' || i from generate_series(1, 40) i;`);
  await createPlan(sql, {
    table: 'items',
    key: 'id',
    keyType: 'integer',
    pending: 's.old is not null and s.fresh is null',
    apply: 'update public.items set fresh = old where id = any (keys) and fresh is null;',
    writes: [{ relation: 'public.items', entity: 'id', columns: ['fresh'] }],
  });
  await addSteps(sql, steps);
  if (migrated) await migrateAll(sql, { plan: PLAN });
}

/** The triggers of Imago on a table. */
export async function triggersOn(sql: Sql, table: string): Promise<number> {
  return Number(
    await value(
      sql,
      "select count(*) from pg_trigger where tgrelid = $1::regclass and not tgisinternal and tgname ~ '^[!~]imago'",
      [table],
    ),
  );
}

export async function database(users?: number): Promise<TestDatabase> {
  const db = await freshDatabase(users === undefined ? {} : { app: 'sample', users });
  onTestFinished(db.drop);
  return db;
}

/** The sample app, migrated. */
export async function migrated(users = 30): Promise<TestDatabase> {
  const db = await database(users);
  await migrateAll(db.sql);
  return db;
}

export const finalize = (db: TestDatabase, args: Record<string, unknown> = {}): Promise<Answer> =>
  call(db.sql, 'finalize_migration', args);

export const phase = async (db: TestDatabase, plan = 'avatars'): Promise<string> =>
  (await call(db.sql, 'get_detailed_migration_progress', { plan })).phase;

/** How far finalize is, as the plan's row has it. */
export async function standing(db: TestDatabase, plan: string): Promise<Record<string, boolean>> {
  const [row] = await db.sql<Record<string, boolean>[]>`
    select finalizing_at is not null as begun, closed_at is not null as closed, finalized_at is not null as finalized
    from imago.plan where name = ${plan}`;
  return { ...row };
}
