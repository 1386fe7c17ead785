/** What steps keep from the app, and for how long: no table is read while its writers wait for the step. */
import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Answer, call, type DatabaseError, value } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import { everyPlan } from '../support/conformance/plans.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';

/** A call that has taken a lock which writers wait for, and the rows that it has read of that table. */
interface Held {
  step: string;
  relation: string;
  mode: string;
  read: number;
}

/** Calls a function until nothing is left, each time in a transaction whose locks and reads are looked at before it ends. */
async function heldBy(db: TestDatabase, name: string, args: Record<string, unknown>): Promise<Held[]> {
  const held: Held[] = [];
  const session = await db.connect().reserve();
  for (let calls = 0; calls < 500; calls += 1) {
    await session`begin`;
    const read = await rowsRead(session as unknown as Sql);
    let answer: Answer | undefined;
    try {
      answer = await call(session as unknown as Sql, name, args);
    } catch (error) {
      if ((error as DatabaseError).code !== 'IM042') throw error;
    }
    if (!answer) {
      await session`rollback`;
      const [step] = await db.sql<{ statement: string }[]>`
        select statement from imago.plan_step where plan = ${String(args.plan)} and direct and done_at is null order by position limit 1`;
      await db.sql.unsafe(step?.statement ?? '');
      continue;
    }
    const after = await rowsRead(session as unknown as Sql);
    for (const { relation, mode } of await locks(session as unknown as Sql)) {
      held.push({
        step: String(answer.step),
        relation,
        mode,
        read: (after.get(relation) ?? 0) - (read.get(relation) ?? 0),
      });
    }
    await session`commit`;
    if (!answer.has_more) {
      session.release();
      return held;
    }
  }
  throw new Error(`${name} does not end`);
}

/** Rows that this session has read by whole tables, of those that the app has. */
async function rowsRead(session: Sql): Promise<Map<string, number>> {
  const rows = await session<{ relation: string; read: number }[]>`
    select relid::regclass::text as relation, seq_tup_read::float8 as read from pg_stat_xact_user_tables where schemaname = 'public'`;
  return new Map(rows.map(({ relation, read }) => [relation, read]));
}

/** Locks of this session that keep writers from a table which was there before the transaction. */
async function locks(session: Sql): Promise<{ relation: string; mode: string }[]> {
  return [
    ...(await session<{ relation: string; mode: string }[]>`
      select c.oid::regclass::text as relation, l.mode
      from pg_locks l join pg_class c on c.oid = l.relation and c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
      where l.pid = pg_backend_pid() and l.granted
        and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`),
  ];
}

await everyPlan((plan, fixture) =>
  describe(`the plan ${plan}, on tables too large to be read while writers wait`, () => {
    test('reads none of them in a step of prepare, finalize or clean-up that keeps their writers waiting', async () => {
      const db = await freshDatabase();
      onTestFinished(() => db.drop());
      await createApp(db.sql, fixture.app, 400);
      await db.sql.unsafe('analyze');
      // As if nothing fitted: what may be built in a call only where that takes no longer than hold_ms is run beside the app.
      await db.sql`update imago.plan_write set index_pace = 1000000`;
      await db.sql`update imago.setting set value = '0' where name in ('direct_mb', 'index_mb')`;
      const most = await value<number>(
        db.sql,
        'select max(n_live_tup)::float8 from pg_stat_user_tables where schemaname = $$public$$',
      );
      expect(most).toBeGreaterThan(300);

      const held = [...(await heldBy(db, 'prepare_migration', { plan }))];
      await migrateAll(db.sql, { plan });
      await rollbackAll(db.sql, { plan });
      held.push(...(await heldBy(db, 'cleanup_migration', { plan, older_than: '0' })));
      await heldBy(db, 'prepare_migration', { plan });
      await migrateAll(db.sql, { plan });
      held.push(...(await heldBy(db, 'finalize_migration', { plan, allow_data_loss: true })));
      expect(held.length).toBeGreaterThan(2);
      expect(held.filter(({ read }) => read > 0)).toEqual([]);
    });

    test('says of each step for how long it has kept writers from which tables', async () => {
      const db = await freshDatabase();
      onTestFinished(() => db.drop());
      await createApp(db.sql, fixture.app, 60);
      for (let answer = await call(db.sql, 'prepare_migration', { plan }); answer.has_more; )
        answer = await call(db.sql, 'prepare_migration', { plan });
      const steps = await db.sql`
        select detail from public.migration_log where event = 'prepare' and plan = ${plan} order by created_at`;
      const holding = steps.filter(({ detail }) => detail.held_ms !== undefined);
      expect(holding.length).toBeGreaterThan(0);
      expect(holding.length).toBeLessThan(steps.length);
      for (const { detail } of holding) expect(detail.locks[0].mode).toMatch(/EXCLUSIVE|SHARE/);
    });
  }),
);
