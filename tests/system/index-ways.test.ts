/** Who builds the indexes that rollback needs, so that no writer of the app waits for one longer than hold_ms. */
import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { installCron, jobs, runJobs } from '../support/cron.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, PLAN } from '../support/plan.ts';
import { until } from '../support/until.ts';

const POINTERS = ['public.users.active_avatar_id', 'public.posts.avatar_id', 'public.follows.avatar_id'];

async function app(): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users: 100, avatars: 'prepared' });
  onTestFinished(() => db.drop());
  return db;
}

/** Has an index on any table be expected to take longer than hold_ms, as on a slow disk. */
const expectLong = (sql: Sql) =>
  sql`update imago.plan_write set index_pace = 1000000 where relation = 'public.posts'`;

/** Has others count as writing for the whole of a test, however slow the machine is. */
const staySeen = (sql: Sql) => sql`update imago.setting set value = '600000' where name = 'quiet_ms'`;

/** Writes a post, and has the server count it at once. */
async function post(db: TestDatabase): Promise<void> {
  const writer = db.connect({ max: 1 });
  await writer`insert into public.posts (user_id, body) select id, 'new' from public.users limit 1`;
  await writer`select pg_stat_force_next_flush()`;
  await writer.end();
}

const indexed = async (sql: Sql) => {
  const rows = await sql<{ name: string }[]>`
    select format('%s.%s', w.relation, p.name) as name
    from imago.plan_write w cross join lateral jsonb_object_keys(w.points_to) p(name)
    where w.plan = 'avatars' and imago.index_of(w.relation, p.name) is not null
    order by w.position`;
  return rows.map(({ name }) => name);
};

const unindexed = async (sql: Sql): Promise<{ object: string; statement: string }[]> =>
  (await call(sql, 'get_detailed_migration_progress')).unindexed;

const logged = async (sql: Sql, level: string) =>
  (
    await sql`select detail from public.migration_log where event = 'index' and level = ${level} order by created_at`
  ).map(({ detail }) => detail);

describe('a call that would keep writers waiting for an index', () => {
  test('leaves it where others write; its statement works as it stands, and the next call notices', async () => {
    const db = await app();
    await expectLong(db.sql);
    const before = await checksums(db.sql, { posts: ['avatar_id'] });
    await staySeen(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 50 });
    await post(db);
    await migrateAll(db.sql);
    expect(await indexed(db.sql)).toEqual([]);
    expect((await logged(db.sql, 'warning')).map(({ object, message }) => [object, message])).toEqual(
      POINTERS.map((object) => [object, 'has no index; its writers would wait while it is built']),
    );
    const left = await unindexed(db.sql);
    expect(left.map(({ object }) => object)).toEqual(POINTERS);
    for (const { statement } of left) await db.sql.unsafe(statement);
    expect(await unindexed(db.sql)).toEqual([]);
    await migrateAll(db.sql);
    expect(await indexed(db.sql)).toEqual(POINTERS);
    expect(await logged(db.sql, 'info')).toEqual([]);
    await rollbackAll(db.sql);
    await db.sql`delete from public.posts where body = 'new'`;
    expect(await checksums(db.sql, { posts: ['avatar_id'] })).toEqual(before);
  });

  test('builds it where nobody writes', async () => {
    const db = await app();
    await expectLong(db.sql);
    await migrateAll(db.sql);
    expect(await indexed(db.sql)).toEqual(POINTERS);
    expect(await logged(db.sql, 'warning')).toEqual([]);
  });

  test('looks at the table itself where the run is too young to know, and sees who writes without a pause', async () => {
    const db = await app();
    let seen: unknown;
    const look = value(db.sql, `select imago.is_written('public.posts')`).then((written) => {
      seen = written;
    });
    while (seen === undefined) await post(db);
    await look;
    expect(seen).toBe(true);
    expect(await value(db.sql, `select imago.is_written('public.posts')`)).toBe(false);
  });

  test('does not build a second one before the writers of the first are let go', async () => {
    const db = await app();
    // All are left out, so that the next run has nothing to do but to build them.
    await expectLong(db.sql);
    await staySeen(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 50 });
    await post(db);
    await migrateAll(db.sql);
    expect(await indexed(db.sql)).toEqual([]);
    // The largest one takes nearly all of hold_ms, and so it stays, whatever the first one takes.
    await db.sql`
      update imago.plan_write set index_pace = 0.9999 * index_pace * imago.setting_number('hold_ms') / (
        select max(imago.index_hold_ms(w.relation)) from imago.plan_write w where w.points_to <> '{}')`;
    await db.sql.unsafe(`
      create function public.keep_pace() returns trigger language plpgsql as
        'begin new.index_pace := old.index_pace; return new; end';
      create trigger keep_pace before update on imago.plan_write for each row execute function public.keep_pace()`);
    const largest = await value<string>(
      db.sql,
      `select relation from imago.plan_write where points_to <> '{}' order by imago.index_hold_ms(relation) desc limit 1`,
    );
    const together: string[][] = [];
    for (let has: string[] = [], more = true; more; ) {
      more = (await call(db.sql, 'migrate_batch')).has_more;
      const now = await indexed(db.sql);
      together.push(now.filter((name) => !has.includes(name)));
      has = now;
    }
    expect(await indexed(db.sql)).toEqual(POINTERS);
    expect(together.find((names) => names.some((name) => name.startsWith(`${largest}.`)))?.[0]).toContain(
      largest,
    );
    await expectAllMigrated(db.sql);
  });

  test('learns from what the last one took, on a table that is not small', async () => {
    const db = await app();
    await db.sql`
      insert into public.posts (user_id, body)
      select u.id, repeat(md5(u.id::text), 50) from public.users u cross join generate_series(1, 60)`;
    expect(await value(db.sql, 'select max(index_pace) from imago.plan_write')).toBeNull();
    await migrateAll(db.sql);
    const rows = await db.sql`
      select relation from imago.plan_write where plan = 'avatars' and index_pace > 0`;
    expect(rows.map(({ relation }) => relation)).toEqual(['public.posts']);
  });
});

describe('a command with DATABASE_URL', () => {
  const migrate = ['--yes', '--json'];

  async function project(): Promise<Project> {
    const made = await freshProject({ app: 'sample', users: 100, avatars: 'prepared' });
    await expectLong(made.db.sql);
    return made;
  }

  /** A transaction of the app that has written posts and goes on, so that the build has to wait for its end. */
  async function heldBuild(made: Project) {
    const { db } = made;
    const other = await db.connect().reserve();
    await other.unsafe('begin; update public.posts set body = body where false');
    const command = startCommand(migrate, made.environment);
    let build: { pid: number } | undefined;
    await until(
      'the build of the index on posts waits',
      async () => {
        [build] = await db.sql<{ pid: number }[]>`
          select pid from pg_stat_activity
          where datname = current_database() and query like 'create index concurrently posts%' and wait_event_type = 'Lock'`;
        return build !== undefined;
      },
      60_000,
    );
    return { command, pid: build?.pid ?? 0, letGo: async () => void (await other`commit`) };
  }

  test('builds it concurrently when all are moved: no write of the app waits for it', async () => {
    const made = await project();
    const { db } = made;
    await db.sql`update imago.setting set value = '100' where name = 'writer_wait_ms'`;
    const { command, pid, letGo } = await heldBuild(made);
    const locks = await db.sql<{ mode: string }[]>`
      select distinct mode from pg_locks where pid = ${pid} and relation = 'public.posts'::regclass`;
    expect(locks.map(({ mode }) => mode)).toEqual(['ShareUpdateExclusiveLock']);
    // Without a wait for a lock.
    const writer = db.connect();
    await writer`set lock_timeout = 1`;
    await writer`update public.posts set body = 'written meanwhile' where id in (select id from public.posts limit 3)`;
    expect(await value(db.sql, `select wait_event_type from pg_stat_activity where pid = $1`, [pid])).toBe(
      'Lock',
    );
    await letGo();
    const ended = await command.finished;
    expect([ended.code, ended.json().status]).toEqual([0, 'done']);
    expect(ended.stderr).toContain(
      'Building beside the app what rollback needs: create index concurrently posts_avatar_id_imago on public.posts (avatar_id) where avatar_id is not null',
    );
    expect(ended.json().progress.unindexed).toEqual([]);
    expect(await indexed(db.sql)).toEqual(POINTERS);
    expect(await value(db.sql, `select imago.is_added('avatars', 'public.posts_avatar_id_imago')`)).toBe(
      true,
    );
    expect((await logged(db.sql, 'info')).filter(({ concurrently }) => concurrently)).toHaveLength(3);
    await expectAllMigrated(db.sql);
  });

  test('killed while it builds: the next one drops what is left of the index and builds it again', async () => {
    const made = await project();
    const { db } = made;
    await db.sql`update imago.setting set value = '100' where name = 'writer_wait_ms'`;
    const { command, pid, letGo } = await heldBuild(made);
    command.child.kill('SIGKILL');
    await command.finished;
    await db.sql`select pg_cancel_backend(${pid})`;
    await until(
      'the build is given up',
      async () =>
        (await value(
          db.sql,
          `select not indisvalid from pg_index where indexrelid = to_regclass('public.posts_avatar_id_imago')`,
        )) === true && (await db.sql`select from pg_stat_activity where pid = ${pid}`).length === 0,
    );
    await letGo();
    const ended = await runCommand(migrate, made.environment);
    expect([ended.code, ended.json().status]).toEqual([0, 'done']);
    expect(ended.stderr).toContain('public.posts_avatar_id_imago is invalid');
    expect(await indexed(db.sql)).toEqual(POINTERS);
    expect(await value(db.sql, 'select count(*)::int from pg_index where not indisvalid')).toBe(0);
  });

  test('stopped by Ctrl-C while it builds: all is moved, and it says how to build the rest', async () => {
    const made = await project();
    const { db } = made;
    await db.sql`update imago.setting set value = '100' where name = 'writer_wait_ms'`;
    const { command, letGo } = await heldBuild(made);
    command.child.kill('SIGINT');
    const ended = await command.finished;
    expect([ended.code, ended.json().status]).toEqual([130, 'interrupted']);
    expect(ended.json().message).toContain('All done.');
    expect(ended.json().next.join()).toContain('create index concurrently on public.posts (avatar_id);');
    await letGo();
    await expectAllMigrated(db.sql);
    expect((await runCommand(migrate, made.environment)).code).toBe(0);
    expect(await indexed(db.sql)).toEqual(POINTERS);
  });

  test('held by the governor, waits before it builds', async () => {
    const made = await project();
    const { db } = made;
    const superuser = db.connect({ role: 'supabase_admin' });
    await superuser.unsafe(`
      create function public.hold() returns trigger language plpgsql as $$
      begin
        update imago.setting set value = 'backup until six' where name = 'hold';
        return null;
      end $$;
      create trigger hold after update on imago.run for each row when (new.state = 'succeeded') execute function public.hold()`);
    await db.sql`update imago.setting set value = '10' where name in ('backoff_ms', 'look_ms')`;
    const command = startCommand(migrate, made.environment);
    await command.says('Waiting: ');
    expect(await indexed(db.sql)).toEqual([]);
    await db.sql`update imago.setting set value = '' where name = 'hold'`;
    expect((await command.finished).code).toBe(0);
    expect(await indexed(db.sql)).toEqual(POINTERS);
  });

  test('takes back from half-way: what the rollback is refused without is built first', async () => {
    const made = await freshProject({ app: 'sample', users: 300, avatars: 'prepared' });
    const { db } = made;
    await db.sql`
      insert into public.posts (user_id, body)
      select u.id, repeat(md5(u.id::text), 50) from public.users u cross join generate_series(1, 40)`;
    await expectLong(db.sql);
    const before = await checksums(db.sql);
    await call(db.sql, 'migrate_users_batch', { batch_size: 120, batch_offset: 0 });
    const ended = await runCommand(['--rollback', ...migrate], made.environment);
    expect([ended.code, ended.json().rolled_back]).toEqual([0, 120]);
    expect(ended.stderr).toContain('create index concurrently posts_avatar_id_imago');
    expect(await checksums(db.sql)).toEqual(before);
  });
});

describe('a run that pg_cron drives', () => {
  /** With ticks that do not wait for an index that is built beside them: the next round looks. */
  async function scheduled(): Promise<TestDatabase> {
    const db = await app();
    await installCron(db);
    await expectLong(db.sql);
    await db.sql`update imago.setting set value = '500' where name = 'tick_ms'`;
    return db;
  }

  test('has a job of its own build what would keep writers waiting, which goes when all is built', async () => {
    const db = await scheduled();
    await call(db.sql, 'schedule_migration');
    const seen = new Set<string>();
    for (let round = 0; (await jobs(db)).length > 0; round += 1) {
      expect(round).toBeLessThan(60);
      for (const { command } of await jobs(db)) seen.add(command);
      await runJobs(db);
    }
    expect([...seen]).toEqual([
      await value(db.sql, `select imago.tick_statement('avatars', false)`),
      ...POINTERS.map((name) => {
        const [, table, column] = name.split('.');
        return `create index concurrently ${table}_${column}_imago on public.${table} (${column}) where ${column} is not null`;
      }),
    ]);
    expect(await indexed(db.sql)).toEqual(POINTERS);
    expect((await call(db.sql, 'get_detailed_migration_progress')).state).toBe('succeeded');
    await expectAllMigrated(db.sql);
  });

  test('whose index keeps failing leaves it to a person, and ends', async () => {
    const db = await scheduled();
    await db.sql`create table public.posts_avatar_id_imago ()`;
    await call(db.sql, 'schedule_migration');
    for (let round = 0; (await jobs(db)).length > 0; round += 1) {
      expect(round).toBeLessThan(60);
      await runJobs(db);
    }
    expect((await call(db.sql, 'get_detailed_migration_progress')).state).toBe('succeeded');
    expect((await logged(db.sql, 'warning')).map(({ object, message }) => [object, message])).toEqual([
      ['public.posts.avatar_id', 'has no index; building it keeps failing in pg_cron'],
    ]);
    expect((await unindexed(db.sql)).map(({ object }) => object)).toEqual(['public.posts.avatar_id']);
  });

  test('answers another caller that it waits, and for which index', async () => {
    const db = await scheduled();
    await call(db.sql, 'schedule_migration');
    let answer = await call(db.sql, 'migrate_batch');
    for (let round = 0; answer.status === 'working' || answer.status === 'deferred'; round += 1) {
      expect(round).toBeLessThan(60);
      answer = await call(db.sql, 'migrate_batch');
    }
    expect(answer).toMatchObject({
      status: 'waiting',
      has_more: true,
      reason: 'an index on public.users.active_avatar_id is built beside the app',
      statement:
        'create index concurrently users_active_avatar_id_imago on public.users (active_avatar_id) where active_avatar_id is not null',
    });
  });
});

test('of a partitioned table each partition gets its own statement, since none can be built concurrently on the whole', async () => {
  const db = await freshDatabase({ app: 'none' });
  onTestFinished(() => db.drop());
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
      { relation: 'public.notes', entity: 'person', columns: ['card'], points_to: { card: 'public.cards' } },
    ],
  });
  await db.sql`update imago.setting set value = '0' where name = 'index_mb'`;
  const before = await contents(db.sql, ['public.notes', 'public.cards']);
  await migrateAll(db.sql, { plan: PLAN });
  const left = async () => (await call(db.sql, 'get_detailed_migration_progress', { plan: PLAN })).unindexed;
  expect(await left()).toEqual(
    ['notes_0', 'notes_1'].map((name) => ({
      object: `public.${name}.card`,
      statement: `create index concurrently on public.${name} (card);`,
    })),
  );
  for (const { statement } of await left()) await db.sql.unsafe(statement);
  expect(await left()).toEqual([]);
  await rollbackAll(db.sql, { plan: PLAN });
  expect(await contents(db.sql, ['public.notes', 'public.cards'])).toEqual(before);
});
