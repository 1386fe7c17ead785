import { describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import {
  database,
  finalize,
  finalizeAll,
  itemsPlan,
  migrated,
  standing,
  triggersOn,
} from '../support/finalize.ts';
import { migrateAll } from '../support/imago.ts';
import { PLAN } from '../support/plan.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';

describe('a step of finalize', () => {
  const drop = {
    name: 'drop the old column',
    body: 'drop view trial.pending; alter table public.items drop column old;',
  };

  test('that meets a lock answers busy, is logged, and is done by a later call', async () => {
    const db = await database();
    await itemsPlan(db.sql, [drop]);
    await finalize(db, { plan: PLAN });
    const other = db.connect();
    await other`begin`;
    await other`update items set fresh = fresh where id = 1`;
    expect(await finalize(db, { plan: PLAN })).toMatchObject({
      state: 'busy',
      step: drop.name,
      closed: false,
      has_more: true,
      retry_after_ms: 300,
    });
    // Answered while the other still holds the lock.
    expect(await standing(db, PLAN)).toEqual({ begun: true, closed: false, finalized: false });
    expect(await triggersOn(db.sql, 'items')).toBeGreaterThan(0);
    const [line] =
      await db.sql`select level, sqlstate, detail from public.migration_log where event = 'finalize_deferred'`;
    expect(line).toEqual({ level: 'warning', sqlstate: '55P03', detail: { step: drop.name } });
    await other`commit`;
    expect(await finalize(db, { plan: PLAN })).toMatchObject({
      state: 'finalized',
      step: drop.name,
      closed: true,
    });
  });

  test('does not keep the app waiting longer than its lock timeout', async () => {
    const db = await database();
    await itemsPlan(db.sql, [drop]);
    await finalize(db, { plan: PLAN });
    const [reader, writer] = [db.connect(), db.connect()];
    await reader`begin`;
    await reader`select count(*) from items`;
    const caller = db.connect();
    const pid = await pidOf(caller);
    const answering = call(caller, 'finalize_migration', { plan: PLAN });
    await untilBlocked(db.sql, pid);
    // Queues behind the step, and must get on as soon as that gives up, although the reader stays.
    await writer`update items set fresh = fresh where id = 2`;
    expect((await answering).state).toBe('busy');
    await reader`commit`;
  });

  test('that is killed leaves nothing half done, and the next call goes on there', async () => {
    const db = await database();
    await itemsPlan(db.sql, [
      {
        name: 'copy aside',
        body: 'create table if not exists public.aside as select id, old from public.items;',
        reversible: true,
      },
      drop,
      { name: 'note it', body: 'create table public.noted (at timestamptz);' },
    ]);
    expect((await finalize(db, { plan: PLAN })).step).toBe('checks');
    expect((await finalize(db, { plan: PLAN })).step).toBe('copy aside');
    expect((await finalize(db, { plan: PLAN })).step).toBe('checks once more');
    const [reader, caller] = [db.connect(), db.connect()];
    await reader`begin`;
    await reader`select count(*) from items`;
    const pid = await pidOf(caller);
    const dying = expect(call(caller, 'finalize_migration', { plan: PLAN })).rejects.toThrow();
    await untilBlocked(db.sql, pid);
    await db.sql`select pg_terminate_backend(${pid})`;
    await dying;
    await reader`commit`;
    expect(await standing(db, PLAN)).toEqual({ begun: true, closed: false, finalized: false });

    expect((await finalize(db, { plan: PLAN })).step).toBe(drop.name);
    expect(await standing(db, PLAN)).toEqual({ begun: true, closed: true, finalized: false });
    // From here on there is no way back, and only finalize goes on.
    expect((await refusal(call(db.sql, 'rollback_batch', { plan: PLAN }))).code).toBe('IM039');
    expect(
      (await refusal(call(db.sql, 'cleanup_migration', { plan: PLAN, older_than: '0' }))).message,
    ).toContain('finalize has not ended');
    expect(await finalize(db, { plan: PLAN })).toMatchObject({ step: 'note it', state: 'finalized' });
    expect(await call(db.sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject({
      phase: 'finalized',
      pending_users: 0,
    });
  });

  test('is done once, however many call at the same time; batches of a step add up', async () => {
    const db = await database();
    await itemsPlan(db.sql, [
      { name: 'aside', body: 'create table public.aside (id integer, old text);', reversible: true },
      {
        name: 'copy',
        returns: 'jsonb',
        reversible: true,
        body: `insert into public.aside select id, old from public.items i
                 where id > coalesce((select max(id) from public.aside), 0) order by id limit 3;
               return jsonb_build_object('has_more', (select count(*) from public.aside) < 40, 'warnings', '["copied"]'::jsonb);`,
      },
      drop,
    ]);
    const callers = Array.from({ length: 6 }, () => db.connect());
    const answers = (await Promise.all(callers.map((caller) => finalizeAll(caller, { plan: PLAN })))).flat();
    expect(
      answers.every(({ state }) =>
        ['finalizing', 'working', 'checking', 'busy', 'finalized'].includes(state),
      ),
    ).toBe(true);
    expect(await value(db.sql, 'select count(*) || $1 || count(distinct id) from aside', ['/'])).toBe(
      '40/40',
    );
    const log = await db.sql<{ step: string; times: number }[]>`
      select detail ->> 'step' as step, count(*)::int as times from public.migration_log
      where event = 'finalize' and detail ->> 'step' not like 'checks%' group by 1`;
    expect(Object.fromEntries(log.map(({ step, times }) => [step, times]))).toEqual({
      aside: 1,
      copy: 14,
      [drop.name]: 1,
    });
    expect(answers.filter(({ warnings }) => warnings.includes('copied'))).toHaveLength(14);
  });

  test('that fails says why with IM041, and nothing of it is kept', async () => {
    const db = await database();
    await itemsPlan(db.sql, [
      { name: 'a key', body: 'alter table public.items add constraint short check (length(fresh) < 8);' },
    ]);
    await finalize(db, { plan: PLAN });
    const error = await refusal(finalize(db, { plan: PLAN }));
    expect([error.code, error.message]).toEqual([
      'IM041',
      'step a key of plan trial failed: SQLSTATE 23514, items, short',
    ]);
    expect(error.detail ?? '').toBe('');
    expect(await standing(db, PLAN)).toEqual({ begun: true, closed: false, finalized: false });
    expect(await triggersOn(db.sql, 'items')).toBeGreaterThan(0);
    await db.sql`update imago.plan_step set routine = 'step_1' where plan = ${PLAN}`;
    await db.sql.unsafe(
      'create or replace function trial.step_1() returns void language sql as $$ select $$',
    );
    expect(await finalize(db, { plan: PLAN })).toMatchObject({ state: 'finalized' });
  });

  test('that does not fit the statement timeout says so; a cancel stays a cancel', async () => {
    const db = await database();
    await itemsPlan(db.sql, [{ name: 'long', body: 'perform pg_sleep(30);' }]);
    await finalize(db, { plan: PLAN });
    const caller = db.connect();
    await caller`set statement_timeout = '500ms'`;
    const error = await refusal(call(caller, 'finalize_migration', { plan: PLAN }));
    expect([error.code, error.message]).toEqual([
      'IM058',
      'step long of plan trial does not fit the statement timeout',
    ]);
    const patient = db.connect();
    const pid = await pidOf(patient);
    const cancelled = refusal(call(patient, 'finalize_migration', { plan: PLAN }));
    await until('it works', async () => {
      return (
        (await db.sql`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`).length > 0
      );
    });
    await db.sql`select pg_cancel_backend(${pid})`;
    expect((await cancelled).code).toBe('57014');
    expect(await standing(db, PLAN)).toEqual({ begun: true, closed: false, finalized: false });
  });

  test('that would lose data is refused with IM043 unless the caller accepts it', async () => {
    const db = await database();
    await itemsPlan(db.sql, [
      {
        name: 'nothing is lost',
        body: "perform imago.refuse_data_loss('trial', '2 items without a home (4, 7)');",
        reversible: true,
      },
      drop,
    ]);
    await finalize(db, { plan: PLAN });
    const error = await refusal(finalize(db, { plan: PLAN }));
    expect([error.code, error.message]).toEqual([
      'IM043',
      'finalizing plan trial would lose data: 2 items without a home (4, 7)',
    ]);
    expect(error.hint).toContain('--allow-data-loss');
    // What the caller's session says does not count, only the argument.
    const caller = db.connect();
    await caller`set imago.allow_data_loss = 'on'`;
    expect((await refusal(call(caller, 'finalize_migration', { plan: PLAN }))).code).toBe('IM043');
    expect((await finalizeAll(db.sql, { plan: PLAN, allow_data_loss: true })).at(-1)?.state).toBe(
      'finalized',
    );
  });
});

describe('a direct step', () => {
  const statement = 'create index concurrently if not exists items_fresh_idx on public.items (fresh)';
  const index = {
    name: 'index on fresh',
    returns: 'boolean' as const,
    body: `return exists (select from pg_index where indexrelid = to_regclass('public.items_fresh_idx') and indisvalid);`,
    statement,
  };

  test('of finalize is refused by name, with its statement, until that has been run', async () => {
    const db = await database();
    await itemsPlan(db.sql, [index]);
    expect((await finalize(db, { plan: PLAN, dry_run: true })).list[1]).toMatchObject({
      name: index.name,
      direct: true,
      statement,
      closes: false,
    });
    await finalize(db, { plan: PLAN });
    for (let calls = 0; calls < 2; calls++) {
      const error = await refusal(finalize(db, { plan: PLAN }));
      expect([error.code, error.message]).toEqual([
        'IM042',
        'step index on fresh of plan trial runs outside a transaction, over a database connection',
      ]);
      expect(error.hint).toContain(statement);
    }
    expect(await standing(db, PLAN)).toEqual({ begun: true, closed: false, finalized: false });
    await db.sql.unsafe(statement);
    expect(await finalize(db, { plan: PLAN })).toMatchObject({ step: index.name, closed: false });
    expect((await finalizeAll(db.sql, { plan: PLAN })).at(-1)?.state).toBe('finalized');
  });

  test('of prepare is refused with its statement, too, and prepare goes on once it was run', async () => {
    const db = await database();
    await itemsPlan(db.sql, [{ ...index, phase: 'prepare' }], { migrated: false });
    const error = await refusal(call(db.sql, 'migrate_batch', { plan: PLAN }));
    expect([error.code, error.hint?.includes(statement)]).toEqual(['IM042', true]);
    await db.sql.unsafe(statement);
    expect((await migrateAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({
      status: 'done',
      state: 'succeeded',
    });
  });

  test('of the avatars plan: a large table is not validated within a call', async () => {
    const db = await migrated();
    await db.sql`update imago.setting set value = '0' where name = 'direct_mb'`;
    await finalize(db);
    const refused: string[] = [];
    for (let calls = 0; calls < 3; calls++) {
      const error = await refusal(finalize(db));
      expect(error.code).toBe('IM042');
      const run = /(alter table \S+ validate constraint \S+)$/.exec(error.hint ?? '')?.[1] ?? '';
      refused.push(run);
      await db.sql.unsafe(run);
      await finalize(db);
    }
    expect(refused).toContain('alter table public.posts validate constraint posts_avatar_id_fkey');
    expect((await finalizeAll(db.sql)).at(-1)?.state).toBe('finalized');
  });
});
