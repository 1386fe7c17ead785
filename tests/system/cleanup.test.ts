import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { cleanUpAll, finalizeAll, itemsPlan } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { PLAN } from '../support/plan.ts';

const databases: TestDatabase[] = [];

async function database(users?: number, avatars?: 'prepared' | 'migrated'): Promise<TestDatabase> {
  const db = await freshDatabase(
    users === undefined ? {} : { app: 'sample', users, ...(avatars && { avatars }) },
  );
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const cleanUp = (db: TestDatabase, args: Record<string, unknown> = {}): Promise<Answer> =>
  call(db.sql, 'cleanup_migration', args);

/** What clean-up is about: undo tables and their functions, batches, lines of the log up to a moment. */
async function leftovers(db: TestDatabase, plan = 'avatars'): Promise<Record<string, number>> {
  const [row] = await db.sql<Record<string, number>[]>`
    select
      (select count(*)::int from pg_class where relnamespace = 'imago_undo'::regnamespace and relkind = 'r') as undo_tables,
      (select count(*)::int from pg_proc where pronamespace = 'imago_undo'::regnamespace) as undo_functions,
      (select count(*)::int from imago.batch b join imago.run r on r.id = b.run where r.plan = ${plan}) as batches,
      (select count(*)::int from imago.log l where l.plan = ${plan} and l.event not in ('cleanup', 'finalize')) as lines`;
  return { ...row };
}

/** Has it happened so many days earlier. */
async function ago(db: TestDatabase, days: number): Promise<void> {
  const earlier = db.sql`make_interval(days => ${days})`;
  await db.sql`update imago.plan set finalized_at = finalized_at - ${earlier}, closed_at = closed_at - ${earlier}`;
  await db.sql`update imago.run set finished_at = finished_at - ${earlier}`;
  await db.sql`update imago.log set created_at = created_at - ${earlier}`;
  await db.sql`update imago.batch set created_at = created_at - ${earlier}`;
}

const sum = (answers: Answer[], field: string): number =>
  answers.reduce((total, answer) => total + Number(answer[field]), 0);

describe('clean-up after finalize', () => {
  test('the journal and what the log holds of it go once the verification period is over, and it says how much that frees', async () => {
    const db = await database(60);
    await migrateAll(db.sql, { batch_size: 7 });
    await finalizeAll(db.sql);
    const size = Number(
      await value(
        db.sql,
        "select sum(pg_total_relation_size(oid)) from pg_class where relnamespace = 'imago_undo'::regnamespace and relkind = 'r'",
      ),
    );
    const finalizedAt = String(
      await value(
        db.sql,
        "select to_char(finalized_at at time zone 'UTC' + interval '30 days', 'YYYY-MM-DD \"at\" HH24:MI') from imago.plan where name = 'avatars'",
      ),
    );
    const before = await leftovers(db);
    for (const args of [{}, { dry_run: true }]) {
      const early = await refusal(cleanUp(db, args));
      expect([early.code, early.message]).toEqual([
        'IM040',
        `plan avatars cannot be cleaned up: its verification period ends on ${finalizedAt} (UTC)`,
      ]);
      expect(early.hint).toBe(
        'Nothing has been dropped. Call again then. A shorter older_than ends it earlier.',
      );
    }
    expect(await leftovers(db)).toEqual(before);

    await ago(db, 31);
    const preview = await cleanUp(db, { dry_run: true });
    expect(preview).toMatchObject({
      dry_run: true,
      state: 'not started',
      undo_tables: 4,
      batch_rows: before.batches,
    });
    expect(preview.log_rows).toBeGreaterThan(0);
    expect(preview.bytes_freed).toBeGreaterThan(size);
    expect(await leftovers(db)).toEqual(before);

    const answers = await cleanUpAll(db.sql);
    expect(sum(answers, 'bytes_freed')).toBe(preview.bytes_freed);
    expect(sum(answers, 'log_rows')).toBe(preview.log_rows);
    expect(sum(answers, 'batch_rows')).toBe(preview.batch_rows);
    expect(answers.at(-1)).toMatchObject({ state: 'cleaned up', has_more: false });
    expect(await leftovers(db)).toEqual({ undo_tables: 0, undo_functions: 0, batches: 0, lines: 0 });
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ phase: 'cleaned up' });
    // The app's side is as it was: columns, rows and the table that was added.
    expect(await value(db.sql, 'select count(*) from users where active_avatar_id is null')).toBe('0');
    const freed =
      await db.sql`select sum((detail ->> 'bytes_freed')::bigint)::int as bytes from public.migration_log where event = 'cleanup'`;
    expect(freed[0]?.bytes).toBe(preview.bytes_freed);

    // Again: nothing to do; and what was finalized stays so.
    expect(await cleanUp(db, { dry_run: true })).toMatchObject({
      state: 'cleaned up',
      bytes_freed: 0,
      list: [],
    });
    expect((await cleanUpAll(db.sql)).length).toBe(1);
    expect((await refusal(call(db.sql, 'rollback_batch'))).code).toBe('IM039');
    expect(await call(db.sql, 'migrate_batch')).toMatchObject({ status: 'done', has_more: false });
  });

  test('the plan chooses what else goes; older_than shortens the period; other plans keep theirs', async () => {
    const db = await database(10, 'migrated');
    await itemsPlan(db.sql, [
      {
        name: 'old column',
        phase: 'cleanup',
        body: 'drop view trial.pending; alter table public.items drop column old;',
      },
      {
        name: 'asked',
        phase: 'cleanup',
        returns: 'jsonb',
        body: `return jsonb_build_object('warnings', jsonb_build_array(case when imago.is_finalized('trial') then 'kept the rest' end));`,
      },
    ]);
    await finalizeAll(db.sql, { plan: PLAN });
    expect(await cleanUp(db, { plan: PLAN, older_than: '0', dry_run: true })).toMatchObject({
      list: ['old column', 'asked'],
    });
    const mine = await leftovers(db);
    const answers = await cleanUpAll(db.sql, { plan: PLAN, older_than: '0' });
    expect(answers.map(({ step }) => step)).toEqual([
      'old column',
      'asked',
      'journal',
      'old rows of the log',
      null,
    ]);
    expect(answers[1]?.warnings).toEqual(['kept the rest']);
    expect(await leftovers(db)).toMatchObject({ undo_tables: 4, batches: mine.batches, lines: mine.lines });
    expect((await rollbackAll(db.sql)).at(-1)).toMatchObject({ status: 'done', conflicts: 0 });
  });

  test('a step that meets a lock is tried again by a later call; one that fails leaves everything', async () => {
    const db = await database();
    await itemsPlan(db.sql, [
      {
        name: 'old column',
        phase: 'cleanup',
        body: 'drop view trial.pending; alter table public.items drop column old;',
      },
    ]);
    await finalizeAll(db.sql, { plan: PLAN });
    const other = db.connect();
    await other`begin`;
    await other`select count(*) from items`;
    expect(await cleanUp(db, { plan: PLAN, older_than: '0' })).toMatchObject({
      state: 'busy',
      has_more: true,
      retry_after_ms: 300,
    });
    await other`commit`;
    await db.sql`create view public.still_used as select old from items`;
    const error = await refusal(cleanUp(db, { plan: PLAN, older_than: '0' }));
    expect([error.code, error.message]).toEqual([
      'IM041',
      'step old column of plan trial failed: SQLSTATE 2BP01',
    ]);
    expect(await leftovers(db, PLAN)).toMatchObject({ undo_tables: 1 });
    await db.sql`drop view public.still_used`;
    expect((await cleanUpAll(db.sql, { plan: PLAN, older_than: '0' })).at(-1)).toMatchObject({
      state: 'cleaned up',
    });
  });

  test('several callers at once clean up once', async () => {
    const db = await database();
    await itemsPlan(db.sql);
    await finalizeAll(db.sql, { plan: PLAN });
    const callers = Array.from({ length: 5 }, () => db.connect());
    const answers = (
      await Promise.all(callers.map((caller) => cleanUpAll(caller, { plan: PLAN, older_than: '0' })))
    ).flat();
    expect(sum(answers, 'undo_tables')).toBe(1);
    expect(answers.filter(({ state }) => state === 'cleaned up')).toHaveLength(5);
  });

  test('a long log goes in several calls', async () => {
    const db = await database();
    await itemsPlan(db.sql);
    await db.sql`insert into imago.log (plan, level, event) select ${PLAN}, 'debug', 'note' from generate_series(1, 45000)`;
    await finalizeAll(db.sql, { plan: PLAN });
    const answers = await cleanUpAll(db.sql, { plan: PLAN, older_than: '0' });
    expect(
      answers
        .map(({ log_rows }) => log_rows)
        .filter(Boolean)
        .slice(0, 2),
    ).toEqual([20000, 20000]);
    expect(sum(answers, 'log_rows')).toBeGreaterThan(45000);
  });
});

describe('clean-up after a complete rollback', () => {
  test('what prepare added goes if it is empty, and the plan can be migrated again', async () => {
    const db = await database(30);
    const columns = () =>
      value(db.sql, "select count(*) from information_schema.columns where table_schema = 'public'");
    const before = await columns();
    await migrateAll(db.sql);
    await rollbackAll(db.sql);
    const early = await refusal(cleanUp(db));
    expect([early.code, early.message]).toEqual([
      'IM040',
      expect.stringContaining('its verification period ends on'),
    ]);
    const answers = await cleanUpAll(db.sql, { older_than: '0 days' });
    expect(answers.slice(0, 4).map(({ warnings }) => warnings)).toEqual([
      ['public.users.active_avatar_id was empty: dropped'],
      ['public.posts.avatar_id was empty: dropped'],
      ['public.follows.avatar_id was empty: dropped'],
      ['public.avatars was empty: dropped'],
    ]);
    expect(await columns()).toBe(before);
    expect(await leftovers(db)).toMatchObject({ undo_tables: 0, undo_functions: 0, batches: 0 });
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ phase: 'cleaned up' });

    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      phase: 'validate',
      pending_users: 0,
    });
    expect((await rollbackAll(db.sql)).at(-1)).toMatchObject({ status: 'done', conflicts: 0 });
    expect((await cleanUpAll(db.sql, { older_than: '0' })).at(-1)?.state).toBe('cleaned up');
  });

  test('what holds something, or is not of Imago, stays', async () => {
    const db = await database(10);
    await db.sql`alter table posts add column avatar_id uuid`;
    await migrateAll(db.sql);
    await rollbackAll(db.sql);
    await db.sql`insert into avatars (owner_user_id, name) select id, 'Mine' from users limit 1`;
    await db.sql`update users set active_avatar_id = a.id from avatars a where a.owner_user_id = users.id`;
    const answers = await cleanUpAll(db.sql, { older_than: '0' });
    expect(answers.slice(0, 4).map(({ warnings }) => warnings)).toEqual([
      ['public.users.active_avatar_id holds values: it stays'],
      [],
      ['public.follows.avatar_id was empty: dropped'],
      ['public.avatars holds rows: it stays'],
    ]);
    expect(await value(db.sql, 'select count(*) from users where active_avatar_id is not null')).toBe('1');
    expect(
      await value(
        db.sql,
        "select count(*) from information_schema.columns where table_name = 'posts' and column_name = 'avatar_id'",
      ),
    ).toBe('1');
  });

  test('what prepare added is known by its note, whatever became of comments, tables and numbers since', async () => {
    const db = await database(10);
    const { sql } = db;
    await migrateAll(sql);
    await rollbackAll(sql);
    // A comment is for people.
    await sql`comment on column public.users.active_avatar_id is null`;
    await sql`comment on column public.users.bio is 'Added by Imago plan avatars.'`;
    // Made again under the same name: the app's own, though it looks like ours.
    await sql.unsafe(`
      drop view avatars.pending;
      alter table public.posts drop column avatar_id cascade;
      alter table public.posts add column avatar_id uuid;
      comment on column public.posts.avatar_id is 'Added by Imago plan avatars.'`);
    // Somebody keeps it.
    await sql`select imago.forget_added('avatars', 'public.avatars')`;
    expect(await value(sql, `select obj_description('public.avatars'::regclass)`)).toContain(
      'Avatars of users',
    );
    // Another table has the name now.
    await sql.unsafe(`
      alter table public.follows rename to follows_of_old;
      create table public.follows (like public.follows_of_old including all)`);
    const answers = await cleanUpAll(sql, { older_than: '0' });
    expect(answers.slice(0, 4).map(({ warnings }) => warnings)).toEqual([
      ['public.users.active_avatar_id was empty: dropped'],
      [],
      [],
      [],
    ]);
    expect(
      await value(
        sql,
        `select array_agg(names order by names)::text from imago.added where plan = 'avatars' and type = 'table column'`,
      ),
    ).toBe('{{public,follows,avatar_id},{public,posts,avatar_id}}');
  });

  test('what prepare added is known after a dump and its restore, by its name', async () => {
    const db = await database(10, 'migrated');
    await rollbackAll(db.sql);
    // As a restore leaves it: the names are those of the dump, and all objects have other numbers.
    await db.sql`
      update imago.added set noted_in = 1, object_id = object_id::bigint + 100000, column_number = column_number + 1`;
    const published = await value<number>(db.sql, 'select cardinality(imago.public_functions())');
    expect(published).toBe(
      await value(
        db.sql,
        `select count(*)::int from imago.added where type = 'function' and names[2] <> 'expect_own_avatar'`,
      ),
    );
    const answers = await cleanUpAll(db.sql, { older_than: '0' });
    expect(answers.slice(0, 4).map(({ warnings }) => warnings[0])).toEqual([
      'public.users.active_avatar_id was empty: dropped',
      'public.posts.avatar_id was empty: dropped',
      'public.follows.avatar_id was empty: dropped',
      'public.avatars was empty: dropped',
    ]);
  });
});

describe('clean-up refuses while there is a way back that somebody may want', () => {
  const refused = async (db: TestDatabase): Promise<string> => {
    const before = await leftovers(db);
    const error = await refusal(cleanUp(db, { older_than: '0' }));
    expect(error.code).toBe('IM040');
    expect(await leftovers(db)).toEqual(before);
    return error.message.replace('plan avatars cannot be cleaned up: ', '');
  };

  test('after a run that was not finalized, and before any', async () => {
    const db = await database(10);
    expect(await refused(db)).toBe('its journal is the way back');
    await migrateAll(db.sql);
    expect(await refused(db)).toBe('its journal is the way back');
  });

  test('with a run under way', async () => {
    const db = await database(10);
    await call(db.sql, 'migrate_batch');
    expect(await refused(db)).toMatch(/^run \d+ \(forward\) is pending$/);
  });

  test('after a rollback that left somebody in conflict', async () => {
    const db = await database(10, 'migrated');
    await db.sql`update avatars set name = 'Edited' where id = (select active_avatar_id from users limit 1)`;
    await rollbackAll(db.sql);
    expect(await refused(db)).toBe('its journal is the way back');
  });

  test('after one user was rolled back alone', async () => {
    const db = await database(10, 'migrated');
    const [user] = await db.sql<{ id: string }[]>`select id from users limit 1`;
    await call(db.sql, 'rollback_user_migration', { user_id: user?.id });
    expect(await refused(db)).toBe('its journal is the way back');
  });
});

test('cleanup_migration refuses arguments that make no sense', async () => {
  const db = await database(3);
  for (const argument of ['older_than', 'dry_run']) {
    expect((await refusal(cleanUp(db, { [argument]: null }))).message).toBe(`${argument} must not be null`);
  }
  const error = await refusal(cleanUp(db, { older_than: '-1 day' }));
  expect([error.code, error.message]).toEqual(['IM015', 'older_than is not valid: -1 days']);
  expect((await refusal(cleanUp(db, { plan: 'nope' }))).code).toBe('IM001');
});
