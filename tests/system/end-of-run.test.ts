import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { callAtOnce, callUntilDone } from '../support/callers.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { DEFECTS } from '../support/defects.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { stopSync } from '../support/sync.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';
import { checkOf, validated } from '../support/validation.ts';

/** The end of a run asks the checks of its plan that must not fail, as finalize and validate_migration do. */

let db: TestDatabase;
afterEach(() => db.drop());

async function start(users = 40, avatars?: 'prepared' | 'migrated'): Promise<TestDatabase> {
  db = await freshDatabase({ app: 'sample', users, ...(avatars && { avatars }) });
  return db;
}

/** A post that has somebody else's avatar: done, as far as `pending` knows. */
const spoilPost = () => db.sql`
  update posts p set avatar_id = (select u.active_avatar_id from users u where u.id <> p.user_id order by u.id limit 1)
  where id = (select id from posts order by id limit 1)`;

const finding = (name: string, found: number, held = 0) => ({
  name,
  severity: 'error',
  found,
  held,
  keys: expect.any(Array),
  partial: false,
  error: null,
});

/** What the last run has logged about its checks. */
const logged = async () => [
  ...(await db.sql`
    select level, entity, detail from public.migration_log
    where event = 'finding' and run = (select max(id) from imago.run) order by created_at`),
];

/** Tables of the app that were analyzed, though not by autovacuum. */
const analyzed = async (sql: TestDatabase['sql'], since: string) => {
  const found = await sql<{ name: string }[]>`
    select relname::text as name from pg_stat_user_tables
    where schemaname = 'public' and last_analyze > ${since}::timestamptz order by name`;
  return found.map(({ name }) => name);
};

const last = async (): Promise<Answer> => (await migrateAll(db.sql)).at(-1) as Answer;

/** A check that takes as many calls as there are items: one query over all of them costs too much for any call. */
async function slowCheck(
  name = 'slow',
  query = 'select u.id as key, u.id as entity from public.users u where false',
) {
  await db.sql`
    insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, source, query)
    values ('avatars', 0, ${name}, 'error', 'during', 'm', 'r', 'public.users', ${query})`;
}

/** Migrates call by call, each with little time, until the checks are under way. */
async function untilChecking(): Promise<Answer> {
  for (;;) {
    const answer = await call(db.sql, 'migrate_batch', { max_ms: 1 });
    if (answer.checking !== null) return answer;
    expect(answer.has_more).toBe(true);
  }
}

describe('the end of a run', () => {
  test('finds nothing where nothing is wrong', async () => {
    await start();
    expect(await last()).toMatchObject({ status: 'done', state: 'succeeded', findings: [], checking: null });
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      phase: 'validate',
      findings: [],
    });
    expect(await logged()).toEqual([]);
    // Once more has nothing to do, and looks again.
    expect(await last()).toMatchObject({ status: 'done', findings: [] });
  });

  for (const defect of DEFECTS) {
    test(`knows ${defect.check} as finalize and validate_migration do: ${defect.what}`, async () => {
      const { sql } = await start(40, 'migrated');
      await stopSync(sql);
      const keys = await defect.make(sql);
      const { severity, left } = checkOf(await validated(sql), defect.check);
      expect(left).toBe(keys.length);

      const answer = await last();
      expect(answer.status).toBe('done');
      const stays = checkOf(await validated(sql), defect.check).left;
      if (severity !== 'error' || stays === 0) {
        // A warning, or what a run moves: the proof has found it, and it is no finding any more.
        expect(answer.findings).toEqual([]);
        expect(await call(sql, 'finalize_migration')).toMatchObject({ step: 'checks', state: 'finalizing' });
        return;
      }
      expect(answer.findings).toEqual([finding(defect.check, stays)]);
      expect((await call(sql, 'get_detailed_migration_progress')).findings).toEqual(answer.findings);
      expect(await logged()).toEqual([
        {
          level: 'error',
          entity: null,
          detail: {
            check: defect.check,
            severity: 'error',
            found: stays,
            held: 0,
            keys: expect.any(Array),
            partial: false,
          },
        },
      ]);
      const refused = await refusal(call(sql, 'finalize_migration'));
      expect(refused.code).toBe('IM038');
      expect(refused.message).toContain(
        `plan avatars cannot be finalized: check ${defect.check} finds ${stays}`,
      );
    });
  }

  test('knows what it has written before the checks read it: statistics of its columns, where much changed', async () => {
    const { sql } = await start(40, 'prepared');
    await sql`
      insert into posts (user_id, body) select (select u.id from users u order by u.id limit 1), 'mass' from generate_series(1, 12000)`;
    const known = () =>
      value<number>(
        sql,
        `select (1 - null_frac)::float8 from pg_stats where tablename = 'posts' and attname = 'avatar_id'`,
      );
    await sql`analyze posts`;
    const begun = await value<string>(sql, 'select clock_timestamp()::text');
    expect(await known()).toBe(0);
    // As where a run takes longer than a second: the server knows what the calls before have written.
    for (let more = true; more; ) {
      more = (await call(sql, 'migrate_batch', { max_ms: 100 })).has_more as boolean;
      await sql`select pg_stat_force_next_flush()`;
    }
    expect(await known()).toBe(1);
    expect(await analyzed(sql, begun)).toEqual(['posts']);
  });

  test('does without statistics of a table that somebody else holds, or that has a locked or an unreachable child', async () => {
    const { sql } = await start(40, 'migrated');
    await sql`create table posts_of_old (check (false)) inherits (posts)`;
    const change = async () => {
      await sql`
        insert into posts (user_id, body) select (select u.id from users u order by u.id limit 1), 'mass' from generate_series(1, 12000)`;
      await sql`select pg_stat_force_next_flush()`;
    };
    const begun = await value<string>(sql, 'select clock_timestamp()::text');
    await sql`set statement_timeout = '10s'`;
    const other = db.connect();
    const refreshedBeside = async (lock: string) => {
      await other`begin`;
      await other.unsafe(lock);
      await sql`select imago.refresh_statistics('avatars')`;
      await other`rollback`;
    };
    await change();
    await refreshedBeside('lock table only posts in share update exclusive mode');
    expect(await analyzed(sql, begun)).toEqual([]);
    await refreshedBeside('lock table posts_of_old in access exclusive mode');

    const admin = db.connect({ role: 'supabase_admin' });
    await admin`create extension postgres_fdw schema extensions`;
    await admin`create server nobody foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1')`;
    await admin`create user mapping for public server nobody`;
    await admin`grant usage on foreign server nobody to postgres`;
    await sql`create foreign table posts_elsewhere () inherits (posts) server nobody`;
    await change();
    await sql`select imago.refresh_statistics('avatars')`;
  });

  test('sees what was written while it ran', async () => {
    const { sql } = await start(120, 'prepared');
    while ((await value<number>(sql, 'select count(*)::int from posts where avatar_id is not null')) === 0) {
      await call(sql, 'migrate_batch', { max_ms: 1, batch_size: 10 });
    }
    await spoilPost();
    await sql`
      update posts p set avatar_id = (select u.active_avatar_id from users u where u.id <> p.user_id and u.active_avatar_id is not null order by u.id limit 1)
      where id = (select id from posts where avatar_id is not null order by id desc limit 1)`;
    const answer = await last();
    expect(answer).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(answer.findings).toEqual([finding('posts_with_wrong_avatar', 2)]);
    expect((await refusal(call(sql, 'finalize_migration'))).message).toContain(
      'check posts_with_wrong_avatar finds 2',
    );
  });

  test('tells users who are set aside, and who are held, apart', async () => {
    const { sql } = await start(40, 'prepared');
    const [failing] = await sql<{ id: string }[]>`select id from users order by id offset 3 limit 1`;
    await sql.unsafe(`alter table avatars add constraint sober check (owner_user_id <> '${failing?.id}')`);
    expect(await last()).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 1,
      findings: [finding('users_without_active_avatar', 1)],
    });
    await sql`alter table avatars drop constraint sober`;
    await call(sql, 'retry_failed_migrations');
    expect((await call(sql, 'get_detailed_migration_progress')).findings).toBeNull();
    expect(await last()).toMatchObject({ state: 'succeeded', failures_left: 0, findings: [] });

    await call(sql, 'rollback_user_migration', { user_id: failing?.id });
    expect(await last()).toMatchObject({
      state: 'succeeded',
      findings: [finding('users_without_active_avatar', 1, 1)],
    });
    expect((await logged()).map(({ level }) => level)).toEqual(['info']);
  });

  test('says which check cannot be evaluated, and ends all the same', async () => {
    await start();
    await slowCheck('broken', 'select id as key, id as entity from public.gone');
    const answer = await last();
    expect(answer).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(answer.findings).toEqual([
      { name: 'broken', severity: 'error', found: 0, held: 0, keys: [], partial: true, error: 'IM029' },
    ]);
    expect((await refusal(call(db.sql, 'finalize_migration'))).message).toContain(
      'check broken cannot be evaluated: IM029',
    );
  });

  test('asks nothing when a rollback ends', async () => {
    const { sql } = await start(40, 'migrated');
    await spoilPost();
    const before = await value(sql, 'select count(*) from imago.validation');
    const back = (await rollbackAll(sql, { force: true })).at(-1);
    expect(back).toMatchObject({ status: 'done' });
    expect(back).not.toHaveProperty('findings');
    expect(await value(sql, 'select count(*) from imago.validation')).toBe(before);
    expect(await logged()).toEqual([]);
  });

  test('is the same for windows and for several workers at once', async () => {
    const { sql } = await start(60, 'prepared');
    let offset: number | null = 0;
    let answer: Answer = {};
    while (offset !== null) {
      answer = await call(sql, 'migrate_users_batch', { batch_size: 25, batch_offset: offset });
      offset = answer.next_offset;
    }
    expect(answer).toMatchObject({ status: 'done', findings: [] });
    await rollbackAll(sql);
    const answers = await callAtOnce(db, 3, 'migrate_batch', { max_ms: 20 });
    for (const each of answers) expect(each.at(-1)).toMatchObject({ status: 'done', findings: [] });
  });
});

describe('checks that need many calls', () => {
  const large = async () => {
    const { sql } = await start(400);
    // Whatever it costs, one query over all of it does not fit.
    await slowCheck(
      'large',
      'select u.id as key, u.id as entity from public.users u, generate_series(1, 3000000000) g where u.id is null and g is null',
    );
    return sql;
  };

  test('go on call by call, each within its budget, and are the phase validate', async () => {
    const sql = await large();
    const first = await untilChecking();
    expect(first).toMatchObject({ status: 'working', state: 'running', has_more: true, findings: null });
    expect(await call(sql, 'get_detailed_migration_progress')).toMatchObject({
      phase: 'validate',
      state: 'running',
    });
    let calls = 0;
    let answer: Answer;
    let percentage = -1;
    do {
      answer = await call(sql, 'migrate_batch', { max_ms: 1 });
      calls += 1;
      if (answer.checking !== null) {
        expect(answer.checking).toBeGreaterThanOrEqual(percentage);
        percentage = answer.checking;
      }
    } while (answer.has_more);
    expect(calls).toBeGreaterThan(3);
    expect(answer).toMatchObject({ status: 'done', state: 'succeeded', findings: [] });
  });

  test('begin where they stopped when the caller is killed', async () => {
    const sql = await large();
    await untilChecking();
    const progress = () =>
      value<{ checked: number; done: number }>(
        sql,
        `select jsonb_build_object('checked', sum(checked), 'done', count(*) filter (where done)) from imago.validation_check
         where validation = (select max(id) from imago.validation)`,
      );
    const before = await progress();
    const gate = db.connect();
    await gate`begin`;
    await gate`lock table public.users in access exclusive mode`;
    const victim = db.connect();
    const pid = await pidOf(victim);
    const running = call(victim, 'migrate_batch', { max_ms: 1000 }).then(
      () => 'it ended',
      () => 'killed',
    );
    await untilBlocked(sql, pid);
    await sql`select pg_terminate_backend(${pid})`;
    expect(await running).toBe('killed');
    await gate`rollback`;
    await until(
      'it has gone',
      async () => (await sql`select from pg_stat_activity where pid = ${pid}`).length === 0,
    );
    expect(await progress()).toEqual(before);
    expect((await callUntilDone(sql, 'migrate_batch', { max_ms: 1 })).at(-1)).toMatchObject({
      state: 'succeeded',
      findings: [],
    });
    expect(await value(sql, 'select count(*)::int from imago.validation where run is not null')).toBe(1);
  });

  test('stop when the run is paused or cancelled, and move what came meanwhile when it goes on', async () => {
    const sql = await large();
    await untilChecking();
    await call(sql, 'pause_migration');
    expect(await call(sql, 'migrate_batch', { max_ms: 1 })).toMatchObject({
      status: 'paused',
      findings: null,
    });
    await stopSync(sql);
    await sql`insert into users (username) values ('meanwhile')`;
    await call(sql, 'resume_migration');
    expect((await callUntilDone(sql, 'migrate_batch', { max_ms: 1 })).at(-1)).toMatchObject({
      state: 'succeeded',
      findings: [],
    });
    expect(
      await value(sql, "select active_avatar_id is not null from users where username = 'meanwhile'"),
    ).toBe(true);

    await untilChecking();
    expect(await call(sql, 'cancel_migration')).toMatchObject({ state: 'cancelled' });
    expect(await last()).toMatchObject({ state: 'succeeded', findings: [] });
  });

  test('leave a validation that a person has begun alone', async () => {
    const sql = await large();
    await untilChecking();
    const own = await call(sql, 'validate_migration', { max_ms: 1 });
    expect(own).toMatchObject({ phase: 'during', has_more: true });
    expect((await callUntilDone(sql, 'migrate_batch', { max_ms: 1 })).at(-1)).toMatchObject({ findings: [] });
    expect(
      await value(sql, "select count(*)::int from imago.validation where state <> 'done' and run is null"),
    ).toBe(1);
  });
});
