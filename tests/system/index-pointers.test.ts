import type { Sql } from 'postgres';
import { beforeEach, describe, expect, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { callAtOnce } from '../support/callers.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, PLAN } from '../support/plan.ts';
import { pidOf, until } from '../support/until.ts';

const POINTERS = ['public.users.active_avatar_id', 'public.posts.avatar_id', 'public.follows.avatar_id'];

/** What rollback looks up needs an index, and a walk that fills it row by row is a third slower: it is built after the walk. */
describe('the indexes that rollback needs', () => {
  let db: TestDatabase;
  let superuser: Sql;

  beforeEach(async () => {
    db = await freshDatabase({ app: 'sample', users: 300, avatars: 'prepared' });
    superuser = db.connect({ role: 'supabase_admin' });
    return async () => await db.drop();
  });

  /** Those of the pointing columns that have an index. */
  const indexed = async (sql: Sql = db.sql) => {
    const rows = await sql<{ name: string }[]>`
      select format('%s.%s', w.relation, p.name) as name
      from imago.plan_write w cross join lateral jsonb_object_keys(w.points_to) p(name)
      where w.plan = 'avatars' and imago.index_of(w.relation, p.name) is not null
      order by w.position`;
    return rows.map(({ name }) => name);
  };

  const logged = async (event: string) =>
    [...(await db.sql`select level, sqlstate, detail from public.migration_log where event = ${event}`)].map(
      ({ level, sqlstate, detail: { ms: _, ...detail } }) => ({ level, sqlstate, ...detail }),
    );

  /** What the preflight says of missing indexes. */
  const warnings = async () => [
    ...(await db.sql<{ object: string; message: string }[]>`
      select p.object, p.message from imago.plan pl cross join lateral imago.preflight(pl) p
      where pl.name = 'avatars' and p.kind = 'no_index'`),
  ];

  const setting = (name: string, number: number) =>
    db.sql`update imago.setting set value = ${number} where name = ${name}`;

  /** Counts in a sequence, which no rollback takes back, how often an index is built; and does something more each time. */
  async function onEachBuild(body = ''): Promise<() => Promise<number>> {
    await superuser.unsafe(`
      create sequence public.builds;
      grant usage on sequence public.builds to postgres;
      create function public.on_build() returns event_trigger language plpgsql as $$
      begin
        perform nextval('public.builds');
        ${body}
      end
      $$;
      create event trigger on_build on ddl_command_start when tag in ('CREATE INDEX') execute function public.on_build()`);
    return async () =>
      Number(
        await value(superuser, `select case when is_called then last_value else 0 end from public.builds`),
      );
  }

  test('are built when all are moved, and say whose they are', async () => {
    expect(await indexed()).toEqual([]);
    await migrateAll(db.sql, { batch_size: 100 });
    expect(await indexed()).toEqual(POINTERS);
    await expectAllMigrated(db.sql);
    expect(await logged('index')).toEqual(
      POINTERS.map((name) => ({
        level: 'info',
        sqlstate: null,
        relation: name.split('.').slice(0, 2).join('.'),
        column: name.split('.')[2],
      })),
    );
    const [said] = await db.sql`
      select obj_description(imago.index_of('public.posts', 'avatar_id'), 'pg_class') as comment`;
    expect(said?.comment).toBe('Added by Imago plan avatars.');
    // A run that finds nothing to move builds nothing either.
    await migrateAll(db.sql);
    expect(await logged('index')).toHaveLength(3);
  });

  test('are built in a call that moves nobody where that takes a moment', async () => {
    await superuser`
      insert into public.posts (user_id, body)
      select u.id, repeat(md5(u.id::text), 50) from public.users u cross join generate_series(1, 40)`;
    let before: string[] = [];
    for (let answer = await call(db.sql, 'migrate_batch'); ; answer = await call(db.sql, 'migrate_batch')) {
      const after = await indexed();
      if (after.length > before.length) expect(answer).toMatchObject({ processed: 0, rows: {} });
      before = after;
      if (!answer.has_more) break;
    }
    expect(before).toEqual(POINTERS);
    await expectAllMigrated(db.sql);
  });

  test('that the app has are used as they are', async () => {
    const built = await onEachBuild();
    await superuser`create index mine on public.posts (avatar_id, created_at)`;
    await migrateAll(db.sql);
    expect(await indexed()).toEqual(POINTERS);
    expect(await built()).toBe(3);
    expect(await logged('index')).toHaveLength(2);
  });

  test('are built before a rollback from half-way takes its first user back', async () => {
    const before = await checksums(db.sql);
    await call(db.sql, 'migrate_users_batch', { batch_size: 120, batch_offset: 0 });
    expect(await indexed()).toEqual([]);
    // One call where that takes a moment, more on a busy server.
    while ((await indexed()).length < POINTERS.length)
      expect(await call(db.sql, 'rollback_batch')).toMatchObject({
        status: 'working',
        rolled_back: 0,
        has_more: true,
      });
    expect(await indexed()).toEqual(POINTERS);
    const answers = await rollbackAll(db.sql);
    expect(answers.reduce((sum, { rolled_back }) => sum + rolled_back, 0)).toBe(120);
    expect(await checksums(db.sql)).toEqual(before);
  });

  test('are built by the last window, and within a rollback in one transaction', async () => {
    const before = await checksums(db.sql);
    for (const batch_offset of [0, 100]) {
      await call(db.sql, 'migrate_users_batch', { batch_size: 100, batch_offset });
    }
    expect(await indexed()).toEqual([]);
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 100, batch_offset: 200 })).toMatchObject({
      status: 'done',
      has_more: false,
      migrated: 100,
    });
    expect(await indexed()).toEqual(POINTERS);
    await superuser`drop index public.posts_avatar_id_idx`;
    expect(await call(db.sql, 'rollback_all_migrations')).toMatchObject({ status: 'done', rolled_back: 300 });
    expect(await indexed()).toEqual(POINTERS);
    expect(await checksums(db.sql)).toEqual(before);
  });

  test('leave the timeouts of their caller as they were', async () => {
    await db.sql.begin(async (tx) => {
      await tx`set local lock_timeout = 1234`;
      await tx`insert into imago.run (plan, direction) values ('avatars', 'forward')`;
      while (
        (await tx`select imago.build_indexes(r, 'infinity') as outcome from imago.run r`)[0]?.outcome ===
        'built'
      );
      expect(await value(tx as unknown as Sql, 'show lock_timeout')).toBe('1234ms');
    });
    expect(await indexed()).toEqual(POINTERS);
  });

  test('are not needed to take one user back', async () => {
    const id = await value<string>(db.sql, 'select id from public.users order by id limit 1');
    const before = await checksums(db.sql);
    await call(db.sql, 'migrate_user_to_avatar_centric', { user_id: id });
    expect(await call(db.sql, 'rollback_user_migration', { user_id: id })).toMatchObject({
      rolled_back: true,
    });
    expect(await indexed()).toEqual([]);
    expect(await checksums(db.sql)).toEqual(before);
  });

  test.each(['migrate_batch', 'rollback_batch'] as const)(
    'wait for who writes the table, a short time each: %s',
    async (name) => {
      await setting('ddl_lock_timeout_ms', 20);
      await setting('writer_wait_ms', 1500);
      await call(db.sql, 'migrate_users_batch', { batch_size: 120, batch_offset: 0 });
      const writer = await db.connect().reserve();
      await writer.unsafe(`begin; update public.posts set body = body where false`);
      let answer = await call(db.sql, name);
      while ((await logged('index_deferred')).length === 0) answer = await call(db.sql, name);
      expect(answer).toMatchObject({ status: 'deferred', has_more: true, retry_after_ms: 200 });
      expect(await indexed()).toEqual(POINTERS.slice(0, 1));
      expect((await logged('index_deferred'))[0]).toEqual({
        level: 'warning',
        sqlstate: '55P03',
        relation: 'public.posts',
        column: 'avatar_id',
      });
      await writer`commit`;
      writer.release();
      await (name === 'migrate_batch' ? migrateAll(db.sql) : rollbackAll(db.sql));
      expect(await indexed()).toEqual(POINTERS);
    },
  );

  test.each([
    ['migrate_batch', 'migrated', 180],
    ['rollback_batch', 'rolled_back', 120],
  ] as const)('hold nobody up where somebody writes the table for ever: %s', async (name, field, all) => {
    await setting('ddl_lock_timeout_ms', 20);
    await setting('writer_wait_ms', 100);
    await call(db.sql, 'migrate_users_batch', { batch_size: 120, batch_offset: 0 });
    const writer = await db.connect().reserve();
    await writer.unsafe(`begin; update public.posts set body = body where false`);
    for (let moved = 0; moved < all || (await indexed()).length < 2; ) {
      moved += (await call(db.sql, name))[field];
    }
    expect(await indexed()).toEqual([POINTERS[0], POINTERS[2]]);
    expect((await logged('index')).filter(({ level }) => level === 'warning')).toMatchObject([
      {
        object: 'public.posts.avatar_id',
        message: 'has no index; a transaction that does not end writes the table',
      },
    ]);
    await writer`rollback`;
    writer.release();
    const answers = await (name === 'migrate_batch' ? migrateAll(db.sql) : rollbackAll(db.sql));
    expect(answers.at(-1)).toMatchObject({ status: 'done' });
  });

  test('are waited for longer where autovacuum may be in the way, which gives way after deadlock_timeout', async () => {
    const wait = () => value<number>(db.sql, `select imago.index_wait_ms('public.posts')`);
    expect(await wait()).toBe(500);
    const vacuum = await db.connect().reserve();
    await vacuum.unsafe(`begin; lock table public.posts in share update exclusive mode`);
    const deadlock = Number(
      await value(db.sql, `select setting from pg_settings where name = 'deadlock_timeout'`),
    );
    expect(await wait()).toBe(500 + deadlock);
    await vacuum`rollback`;
    vacuum.release();
  });

  test('are left to a person on a large table: the statement is logged, shown by the validator, and nothing is held up', async () => {
    const before = await checksums(db.sql);
    const built = await onEachBuild();
    await setting('index_mb', 0);
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done' });
    expect(await built()).toBe(0);
    const statements = POINTERS.map((object) => ({
      object,
      statement: `create index concurrently on ${object.replace(/\.(\w+)$/, ' ($1)')};`,
    }));
    expect(await logged('index')).toEqual(
      statements.map(({ object, statement }) => ({
        level: 'warning',
        sqlstate: null,
        kind: 'no_index',
        object,
        message: 'has no index; the table is too large to keep its writers waiting for one',
        hint: statement,
      })),
    );
    expect((await call(db.sql, 'get_detailed_migration_progress')).unindexed).toEqual(statements);
    expect((await warnings()).map(({ object }) => object).sort()).toEqual([...POINTERS].sort());
    await superuser.unsafe(statements[1]?.statement ?? '');
    // Small tables are read as a whole within a moment, so that nobody has to do anything before a rollback.
    await rollbackAll(db.sql);
    expect(await indexed()).toEqual([POINTERS[1]]);
    expect((await call(db.sql, 'get_detailed_migration_progress')).unindexed).toHaveLength(2);
    expect(await checksums(db.sql)).toEqual(before);
  });

  test('are needed for a rollback where a table is not small: refused with the statement, before anything is touched', async () => {
    const before = await checksums(db.sql);
    await superuser`
      insert into public.posts (user_id, body)
      select u.id, repeat(md5(u.id::text), 50) from public.users u cross join generate_series(1, 40)`;
    await setting('index_mb', 16);
    expect(await warnings()).toEqual([
      {
        object: 'public.posts.avatar_id',
        message:
          'has no index; its table is too large for the run to build one, and rollback is refused until it has one',
      },
    ]);
    await migrateAll(db.sql);
    const migrated = await checksums(db.sql);
    const error = await refusal(call(db.sql, 'rollback_batch'));
    expect([error.code, error.message, error.hint]).toEqual([
      'IM057',
      'plan avatars cannot be rolled back without an index on public.posts.avatar_id',
      'Nothing was taken back by this call. Run this outside a transaction, then call again: create index concurrently on public.posts (avatar_id);',
    ]);
    expect(await checksums(db.sql)).toEqual(migrated);
    expect(await value(db.sql, `select count(*)::int from imago.run where direction = 'rollback'`)).toBe(0);
    expect(await warnings()).toEqual([
      { object: 'public.posts.avatar_id', message: 'has no index; rollback is refused until it has one' },
    ]);
    const id = await value<string>(db.sql, 'select id from public.users order by id limit 1');
    expect(await call(db.sql, 'rollback_user_migration', { user_id: id })).toMatchObject({
      rolled_back: true,
    });
    await superuser.unsafe('create index concurrently on public.posts (avatar_id)');
    await rollbackAll(db.sql);
    await superuser`delete from public.posts where length(body) = 1600`;
    expect(await checksums(db.sql)).toEqual(before);
  });

  test('that cannot be built hold nothing up', async () => {
    await onEachBuild(`raise exception using errcode = '53100', message = 'disk full';`);
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done' });
    expect(await indexed()).toEqual([]);
    expect((await logged('index')).map(({ sqlstate, message }) => [sqlstate, message])).toEqual(
      POINTERS.map(() => ['53100', 'has no index; it could not be built']),
    );
  });

  test('that do not fit the statement timeout are left to a person; a person who cancels is obeyed', async () => {
    await onEachBuild(`perform pg_sleep(60);`);
    const caller = db.connect();
    await caller`set statement_timeout = 1000`;
    let answer = await call(caller, 'migrate_batch');
    while ((await logged('index')).length === 0) answer = await call(caller, 'migrate_batch');
    expect(answer).toMatchObject({ status: 'working', has_more: true });
    expect(await logged('index')).toMatchObject([
      { sqlstate: '57014', message: 'has no index; building it does not fit a call' },
    ]);

    const patient = db.connect();
    const pid = await pidOf(patient);
    const canceled = call(patient, 'migrate_batch').catch((error) => error.code);
    await until('the index is being built', async () => {
      const rows =
        await superuser`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`;
      return rows.length > 0;
    });
    await superuser`select pg_cancel_backend(${pid})`;
    expect(await canceled).toBe('57014');
    expect(await logged('index')).toHaveLength(1);
  });

  test('are not built by a dry run', async () => {
    const built = await onEachBuild();
    expect(await call(db.sql, 'dry_run_migration', { mode: 'full' })).toMatchObject({ migrated: 300 });
    expect(await built()).toBe(0);
  });

  test('are built once by many callers at once, forward and back', async () => {
    const before = await checksums(db.sql);
    await callAtOnce(db, 8, 'migrate_batch');
    expect(await logged('index')).toHaveLength(3);
    await superuser.unsafe(
      'drop index public.posts_avatar_id_idx, public.users_active_avatar_id_idx, public.follows_avatar_id_idx',
    );
    await callAtOnce(db, 8, 'rollback_batch');
    expect(await indexed()).toEqual(POINTERS);
    expect((await logged('index')).every(({ level }) => level === 'info')).toBe(true);
    expect(await checksums(db.sql)).toEqual(before);
  });
});

test('an index on a partitioned table is built with those of its partitions', async () => {
  const db = await freshDatabase({ app: 'none' });
  try {
    await db.sql.unsafe(`
      create table public.people (id integer primary key);
      create table public.cards (id integer primary key, person integer not null);
      create table public.notes (id integer primary key, person integer not null, card integer) partition by hash (id);
      create table public.notes_0 partition of public.notes for values with (modulus 2, remainder 0);
      create table public.notes_1 partition of public.notes for values with (modulus 2, remainder 1);
      insert into public.people select n from generate_series(1, 50) n;
      insert into public.notes (id, person) select n, n % 50 + 1 from generate_series(1, 200) n;
      analyze public.people;`);
    await createPlan(db.sql, {
      table: 'people',
      key: 'id',
      keyType: 'integer',
      pending: 'not exists (select from public.cards c where c.person = s.id)',
      apply: `
        insert into public.cards (id, person) select k, k from unnest(keys) k;
        update public.notes n set card = n.person where n.person = any (keys);`,
      writes: [
        { relation: 'public.cards', entity: 'person', inserts: true },
        {
          relation: 'public.notes',
          entity: 'person',
          columns: ['card'],
          points_to: { card: 'public.cards' },
        },
      ],
    });
    const before = await contents(db.sql, ['public.notes', 'public.cards']);
    await migrateAll(db.sql, { plan: PLAN });
    const [built] = await db.sql`
      select count(*)::int as n from pg_index i join pg_inherits h on h.inhrelid = i.indexrelid
      where h.inhparent = imago.index_of('public.notes', 'card') and i.indisvalid`;
    expect(built?.n).toBe(2);
    await rollbackAll(db.sql, { plan: PLAN });
    expect(await contents(db.sql, ['public.notes', 'public.cards'])).toEqual(before);
  } finally {
    await db.drop();
  }
});
