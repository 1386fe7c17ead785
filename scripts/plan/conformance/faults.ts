/** What goes wrong on purpose: an entity that cannot be moved, a caller that is killed. */
import assert from 'node:assert/strict';
import type { Sql } from 'postgres';
import { call } from '../act.ts';
import type { Database } from './callers.ts';
import { value } from './rows.ts';
import { pidOf, until } from './until.ts';

/** One advisory lock, held by the tester: a batch that waits for it stands still. */
const GATE = 4719;

/** The relation that a plan writes first, with SQL of the entity that a row of it, called written, names. */
async function firstWrite(sql: Sql, plan: string): Promise<{ relation: string; entity: string }> {
  const [write] = await sql<{ relation: string; entity: string }[]>`
    select relation, case when cardinality(imago.key_names(entity_column)) > 1 then 'row(' || imago.key_list(entity_column, 'written') || ')'
      else imago.key_list(entity_column, 'written') end as entity from imago.plan_write
    where plan = ${plan} and entity_column is not null order by position limit 1`;
  if (!write) throw new Error(`plan ${plan} declares no write`);
  return write;
}

/** Has the first relation that the plan writes refuse the rows of one entity. */
export async function poison(sql: Sql, key: string, plan: string): Promise<void> {
  const { relation, entity } = await firstWrite(sql, plan);
  await sql.unsafe(`
    create function public.poison() returns trigger language plpgsql as $$
    declare
      written record := case tg_op when 'DELETE' then old else new end;
    begin
      if (${entity})::text = tg_argv[0] then
        raise exception using errcode = 'check_violation', constraint = 'poison', message = 'poisoned';
      end if;
      return case tg_op when 'DELETE' then old else new end;
    end
    $$;
    create trigger poison before insert or update or delete on ${relation}
      for each row execute function public.poison('${key.replaceAll("'", "''")}')`);
}

/** Takes it back. */
export async function mend(sql: Sql, _key: string, plan: string): Promise<void> {
  const { relation } = await firstWrite(sql, plan);
  await sql.unsafe(`drop trigger poison on ${relation}; drop function public.poison()`);
}

/** Ends a caller's session when all rows of its batch are written and none is committed, and waits until it has gone. */
export async function killInBatch(
  db: Database,
  name: 'migrate_batch' | 'rollback_batch',
  args: Record<string, unknown>,
): Promise<void> {
  const { sql } = db;
  await sql.unsafe(`
    create function public.stop_here() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock_shared(${GATE});
      return new;
    end
    $$;
    create trigger stop_here before update on imago.batch for each row execute function public.stop_here();
    update imago.setting set value = '60000' where name = 'lock_timeout_ms'`);
  const gate = db.connect();
  await gate`select pg_advisory_lock(${GATE})`;
  const caller = db.connect({ fetch_types: false });
  const pid = await pidOf(caller);
  const ended = untilInBatch().then(
    () => undefined,
    (error: { code?: string }) => error,
  );
  const waiting = `select count(*)::int from pg_locks where pid = ${pid} and locktype = 'advisory' and objid = ${GATE} and not granted`;
  await until('the batch stands at the gate', async () => (await value(sql, waiting)) === 1);
  await sql`select pg_terminate_backend(${pid})`;
  assert.match((await ended)?.code ?? '', /^(57P0[123]|CONNECTION_(CLOSED|DESTROYED|ENDED))$/);
  await gate`select pg_advisory_unlock(${GATE})`;
  await until('the session has gone', async () => {
    return (await value(sql, `select count(*)::int from pg_stat_activity where pid = ${pid}`)) === 0;
  });
  await sql.unsafe(`
    drop trigger stop_here on imago.batch;
    drop function public.stop_here();
    update imago.setting set value = '400' where name = 'lock_timeout_ms'`);

  /** The first calls of a run may have other work than a batch. */
  async function untilInBatch(): Promise<void> {
    while ((await call(caller, name, args)).has_more);
  }
}
