import type { Sql } from 'postgres';
import { expect } from 'vitest';
import { migrateAll, rollbackAll } from './imago.ts';

/** The name of every plan that createPlan makes. */
export const PLAN = 'trial';

/** What a plan writes; the relation is written as SQL writes it. */
export interface Write {
  relation: string;
  /** Null: rows that several entities share. */
  entity: string | null;
  stage?: number;
  inserts?: boolean;
  deletes?: boolean;
  deleted_entity?: string;
  columns?: readonly string[];
  points_to?: Record<string, string>;
}

/** What follows the app's writes; relation and statement are SQL. */
export interface Sync {
  name: string;
  relation: string;
  entity: string;
  statement: string;
  stage?: number;
  events?: ('insert' | 'update' | 'delete')[];
  columns?: string[];
  direction?: 'forward' | 'back';
  strict?: boolean;
  creates?: boolean;
  /** A column that is filled before rows are written, and the query of its value. */
  fills?: string;
  fill?: string;
}

/** One walk of a plan: a table, and what happens to its rows. */
export interface Stage {
  schema?: string;
  table: string;
  key: string;
  keyType: 'uuid' | 'smallint' | 'integer' | 'bigint' | 'text' | 'record';
  /** Of a record: its fields with their types. The columns of the key are called the same. */
  fields?: Record<string, string>;
  /** When a row s of the source has yet to be moved. */
  pending: string;
  /** PL/pgSQL statements that move the entities named by `keys`. */
  apply: string;
}

/** A plan in a few words, on tables that are there already. */
export interface PlanParts extends Stage {
  /** PLAN unless told otherwise. */
  name?: string;
  /** The walks after the first. */
  stages?: readonly Stage[];
  writes: readonly Write[];
  syncs?: readonly Sync[];
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** The body of a function between dollars that it does not hold itself. */
const body = (text: string) => `$imago_test$ begin ${text} end $imago_test$`;

/** SQL: what a stage has in the plan's schema, the first without a number. */
function stageObjects(stage: Stage, suffix: string, plan = PLAN): string {
  const source = `${quoted(stage.schema ?? 'public')}.${quoted(stage.table)}`;
  const { fields } = stage;
  const type = fields ? `${plan}.key${suffix}` : stage.keyType;
  const columns = Object.keys(fields ?? {}).map((name) => `s.${quoted(name)}`);
  const entity = fields ? `row(${columns.join(', ')})::${type}` : `s.${quoted(stage.key)}`;
  return `
    create or replace view ${plan}.pending${suffix} as select ${entity} as entity from ${source} s where ${stage.pending};
    create or replace function ${plan}.apply${suffix}(keys ${type}[]) returns void language plpgsql set search_path = ''
      as ${body(`perform set_config('search_path', imago.app_search_path(), true); ${stage.apply}`)};`;
}

/** SQL: the types of keys of several columns. */
function keyTypes(parts: PlanParts, plan: string): string {
  return [parts, ...(parts.stages ?? [])]
    .flatMap(({ fields }, index) => {
      if (!fields) return [];
      const list = Object.entries(fields).map(([name, type]) => `${quoted(name)} ${type}`);
      return [`create type ${plan}.key${index > 0 ? `_${index + 1}` : ''} as (${list.join(', ')});`];
    })
    .join('\n');
}

/** Registers a plan and gives it its schema. */
export async function createPlan(sql: Sql, parts: PlanParts): Promise<void> {
  const plan = parts.name ?? PLAN;
  await sql.begin(async (tx) => {
    await tx.unsafe(`
      create schema ${plan};
      ${keyTypes(parts, plan)}
      create function ${plan}.preflight() returns setof imago.problem
        language sql stable as 'select null, null, null, null, null where false';
      create function ${plan}.statistics() returns jsonb language sql stable as $$ select '{}'::jsonb $$;
      ${stageObjects(parts, '', plan)}`);
    await tx`
      insert into imago.plan (name, title, source_schema, source_table, key_column)
      values (${plan}, 'A plan of a test', ${parts.schema ?? 'public'}, ${parts.table}, ${parts.key})`;
    for (const [index, stage] of (parts.stages ?? []).entries()) {
      await tx.unsafe(stageObjects(stage, `_${index + 2}`, plan));
      await tx`
        insert into imago.plan_stage (plan, number, source_schema, source_table, key_column)
        values (${plan}, ${index + 2}, ${stage.schema ?? 'public'}, ${stage.table}, ${stage.key})`;
    }
    for (const [position, write] of parts.writes.entries()) {
      await tx`
        insert into imago.plan_write (plan, position, stage, relation, entity_column, inserts, columns, points_to, deletes, deleted_entity)
        values (${plan}, ${position + 1}, ${write.stage ?? 1}, ${write.relation}, ${write.entity}, ${write.inserts ?? false},
                ${[...(write.columns ?? [])]}, ${tx.json(write.points_to ?? {})}, ${write.deletes ?? false}, ${write.deleted_entity ?? null})`;
    }
    for (const [position, sync] of (parts.syncs ?? []).entries()) {
      await tx`
        insert into imago.plan_sync
          (plan, stage, position, name, relation, events, columns, entity_column, direction, statement, strict, creates, fills, fill)
        values (${plan}, ${sync.stage ?? 1}, ${position + 1}, ${sync.name}, ${sync.relation},
                ${sync.events ?? ['insert', 'update']}, ${sync.columns ?? null}, ${sync.entity},
                ${sync.direction ?? 'forward'}, ${sync.statement}, ${sync.strict ?? false}, ${sync.creates ?? false},
                ${sync.fills ?? null}, ${sync.fill ?? null})`;
    }
  });
}

/** Gives a plan that has run another second act: who is pending now, and what happens to them. */
export async function changePlan(sql: Sql, parts: Stage): Promise<void> {
  await sql.unsafe(stageObjects(parts, ''));
}

/** Every row of some tables as text, in an order of its own. */
export async function contents(sql: Sql, tables: string[]): Promise<Record<string, string[]>> {
  const result: Record<string, string[]> = {};
  for (const table of tables) {
    const rows = await sql.unsafe<{ row: string }[]>(
      `select t::text as row from ${table} t order by t::text collate "C"`,
    );
    result[table] = rows.map(({ row }) => row);
  }
  return result;
}

/** Runs the plan to its end, where nothing may be set aside, and looks at its journal. */
export async function forward(sql: Sql, batchSize = 3): Promise<void> {
  const last = (await migrateAll(sql, { plan: PLAN, batch_size: batchSize })).at(-1);
  const failures = await sql`select entity, kind, sqlstate, table_name, column_name from imago.failure`;
  expect([...failures]).toEqual([]);
  expect(last).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0, error: null });
  await expectOneRowEach(sql);
}

/** Takes the plan back to its start, where nothing may be in conflict. */
export async function back(sql: Sql): Promise<void> {
  const last = (await rollbackAll(sql, { plan: PLAN })).at(-1);
  const reasons = await sql`select entity, kind, sqlstate, table_name, row_key, reason from imago.failure`;
  expect([...reasons]).toEqual([]);
  expect(last).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0, error: null });
}

/** The journal holds one row for each row that a batch wrote, and nothing that is not settled. */
export async function expectOneRowEach(sql: Sql): Promise<void> {
  const writes = await sql<{ undo: string; keys: number }[]>`
    select undo_table as undo, cardinality(key_columns) as keys from imago.plan_write where plan = ${PLAN}`;
  expect(writes.length).toBeGreaterThan(0);
  for (const { undo, keys } of writes) {
    const columns = Array.from({ length: keys }, (_, i) => `key_${i + 1}`).join(', ');
    const doubles = await sql.unsafe(
      `select batch, ${columns}, count(*) from imago_undo.${quoted(undo)} group by batch, ${columns} having count(*) > 1`,
    );
    expect([...doubles]).toEqual([]);
    const unsettled = await sql.unsafe(
      `select from imago_undo.${quoted(undo)} where op not in ('i', 'u', 'd')`,
    );
    expect(unsettled.length).toBe(0);
  }
}

/** The rows of one undo table, by relation, in the order of batch and key. */
export async function journal(sql: Sql, relation: string): Promise<Record<string, unknown>[]> {
  const [write] = await sql<{ undo: string }[]>`
    select undo_table as undo from imago.plan_write where plan = ${PLAN} and relation = ${relation}`;
  return [
    ...(await sql.unsafe(`select * from imago_undo.${quoted(write?.undo ?? '')} order by batch, key_1`)),
  ];
}
