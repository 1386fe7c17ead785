import { describe, expect, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import type { TestDatabase } from '../support/database.ts';
import { database, failures, mend, quoted, sum, trigger, unmoved, usersAt } from '../support/failures.ts';
import { migrateAll } from '../support/imago.ts';
import { pidOf, until } from '../support/until.ts';

describe('a statement timeout', () => {
  const hasty = (db: TestDatabase, ms: number) => db.connect({ connection: { statement_timeout: ms } });
  const timeouts = async (db: TestDatabase) =>
    Number(await value(db.sql, `select count(*) from public.migration_log where event = 'timeout'`));

  test('shrinks the batch, and what fits goes on', async () => {
    const db = await database(200);
    const slow = await db.sql<{ id: string }[]>`select id from public.users order by id offset 50 limit 18`;
    await trigger(
      db,
      'users',
      'update',
      `if new.id in (${quoted(slow.map((row) => row.id))}) then perform pg_sleep(0.1); end if;`,
    );
    const answers = await migrateAll(hasty(db, 1000), { batch_size: 100 });
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
    expect(sum(answers, 'migrated')).toBe(200);
    expect(await timeouts(db)).toBeGreaterThan(0);
    const sizes = await db.sql<{ size: number }[]>`select size from imago.batch where moved > 0 order by id`;
    expect(Math.min(...sizes.map((row) => row.size))).toBeLessThan(26);
    await expectAllMigrated(db.sql);
  });

  test('reached by several users together makes none of them too large', async () => {
    const db = await database(7);
    await trigger(db, 'users', 'update', 'perform pg_sleep(0.6);');
    const answers = await migrateAll(hasty(db, 1500));
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await value(db.sql, `select count(*) from public.migration_log where event = 'too_large'`)).toBe(
      '0',
    );
    await expectAllMigrated(db.sql);
  });

  test('while the batch’s boundary is looked for shrinks it too, and the end is proved all the same', async () => {
    const db = await database(260);
    await db.sql.unsafe(`
      create function public.slowly() returns boolean language plpgsql volatile cost 1 as $$
        begin perform pg_sleep(0.005); return true; end $$;`);
    const [view] = await db.sql<
      { text: string }[]
    >`select pg_get_viewdef('avatars.pending'::regclass) as text`;
    await db.sql.unsafe(
      `create or replace view avatars.pending as select entity from (${view?.text.replace(';', '')}) p where public.slowly()`,
    );
    const answers = await migrateAll(hasty(db, 1000));
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
    expect(sum(answers, 'migrated')).toBe(260);
    const late = await db.sql`select batch_size from imago.lane where pass = 'late'`;
    expect(late[0]?.batch_size).toBeLessThan(500);
    await db.sql.unsafe(`create or replace view avatars.pending as ${view?.text}`);
    await expectAllMigrated(db.sql);
  });

  test('in a window keeps what was moved, and the window after it goes on', async () => {
    const db = await database(60);
    await trigger(db, 'users', 'update', 'perform pg_sleep(0.1);');
    // Time that a slow machine needs besides, too.
    const client = hasty(db, 2500);
    const answers: Answer[] = [];
    do {
      answers.push(
        await call(client, 'migrate_users_batch', {
          batch_size: 60,
          batch_offset: answers.at(-1)?.next_offset ?? 0,
        }),
      );
      expect(answers.length).toBeLessThan(30);
    } while (answers.at(-1)?.has_more);
    expect(answers.length).toBeGreaterThan(2);
    expect(sum(answers, 'migrated')).toBe(60);
    expect(await failures(db)).toEqual([]);
    await expectAllMigrated(db.sql);
  });

  test('too short for one user alone sets that user aside as too large; a retry with more time moves them', async () => {
    const db = await database(40);
    const large = await usersAt(db, 10, 39);
    await trigger(
      db,
      'users',
      'update',
      `if new.id in (${quoted(large)}) then perform pg_sleep(1.2); end if;`,
    );
    const answers = await migrateAll(hasty(db, 1000));
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'failed', failures_left: 2 });
    expect(await failures(db)).toEqual(
      large.map((entity) => ({ entity, kind: 'too_large', sqlstate: '57014' })),
    );
    expect(await unmoved(db)).toEqual(large);
    expect(await value(db.sql, 'select distinct reason from imago.failure')).toBe(
      'its rows do not fit one call',
    );

    await call(db.sql, 'retry_failed_migrations');
    const retried = await migrateAll(hasty(db, 30_000));
    expect(retried.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(sum(retried, 'migrated')).toBe(2);
    await expectAllMigrated(db.sql);
  });

  test('is told from a person’s cancel, which is raised and loses nothing', async () => {
    const db = await database(60);
    await trigger(db, 'users', 'update', 'perform pg_sleep(0.05);');
    const worker = hasty(db, 60_000);
    const pid = await pidOf(worker);
    // What the first sub-batch of the call did is lost with the call, and found pending by the next one.
    const cancelled = refusal(call(worker, 'migrate_batch', { max_ms: 60_000, batch_size: 20 }));
    await until('the worker is in its second sub-batch', async () => {
      const [row] =
        await db.sql`select clock_timestamp() - query_start > interval '1.5 s' as late from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`;
      return row?.late === true;
    });
    await db.sql`select pg_cancel_backend(${pid})`;
    const error = await cancelled;
    expect([error.code, error.message]).toEqual(['57014', 'canceling statement due to user request']);
    expect((await unmoved(db)).length).toBe(60);
    expect(await failures(db)).toEqual([]);
    await mend(db);
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(db.sql);
  });
});
