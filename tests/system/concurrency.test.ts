import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { type Answer, call, type DatabaseError, value } from '../support/call.ts';
import { callAtOnce, callUntilDone, passForLarge, total } from '../support/callers.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll } from '../support/imago.ts';
import { stopSync } from '../support/sync.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';

const USERS = 600;
const CALLERS = 20;

let db: TestDatabase;

afterEach(async () => {
  await db.drop();
});

async function largeApp(users = USERS): Promise<Sql> {
  db = await freshDatabase({ app: 'sample', users });
  await passForLarge(db.connect({ role: 'supabase_admin' }));
  return db.sql;
}

const count = async (sql: Sql, what: string) => Number(await value(sql, `select count(*) from ${what}`));

/** Nobody was lost, nobody has two avatars, and everything that hangs on a user hangs on their own avatar. */
async function expectNobodyLost(sql: Sql, users = USERS): Promise<void> {
  await expectAllMigrated(sql);
  expect(await count(sql, 'public.users')).toBe(users);
  expect(await count(sql, 'public.avatars')).toBe(users);
  expect(await count(sql, 'imago.failure')).toBe(0);
}

/** Looks at the progress again and again while work is under way. */
async function sampled<T>(work: Promise<T>): Promise<{ result: T; percentages: number[] }> {
  const client = db.connect();
  const percentages: number[] = [];
  let ended = false;
  const settled = work.finally(() => {
    ended = true;
  });
  const sampler = (async () => {
    while (!ended) {
      const progress = await call(client, 'get_detailed_migration_progress');
      const statistics = await call(client, 'get_migration_statistics');
      for (const answer of [progress, statistics]) percentages.push(answer.migration_completion_percentage);
      // An exact count of what is moved, so the two calls can differ by what was moved between them and no more.
      expect(progress.migrated_users + progress.pending_users).toBe(progress.total_users);
    }
  })();
  const [result] = await Promise.all([settled, sampler]);
  return { result, percentages };
}

describe('twenty callers at once', () => {
  test('of migrate_batch on a database that is not prepared, then of rollback_batch: each user once, and back', async () => {
    const sql = await largeApp();
    const original = await checksums(sql);

    const forward = await sampled(callAtOnce(db, CALLERS, 'migrate_batch', { batch_size: 7, max_ms: 50 }));
    expect(total(forward.result, 'migrated')).toBe(USERS);
    expect(total(forward.result, 'failed')).toBe(0);
    await expectNobodyLost(sql);
    expect(await checksums(sql)).toEqual(original);
    // Every step done once, the lanes of one run shared by many.
    expect(
      await count(sql, "imago.plan_step where plan = 'avatars' and phase = 'prepare' and done_at is null"),
    ).toBe(0);
    const [step] = await sql`
      select detail ->> 'step' from imago.log where event = 'prepare' group by 1 having count(*) > 1`;
    expect(step).toBeUndefined();
    const [first] = await sql<{ run: string; lanes: number; moved: number }[]>`
      select run, count(*)::integer as lanes, sum(moved)::integer as moved from imago.lane
      where pass = 'main' group by run`;
    expect(first).toMatchObject({ lanes: 20, moved: USERS });
    const workers = forward.result.filter((answers) => answers.some((answer) => answer.migrated > 0));
    expect(workers.length).toBeGreaterThan(1);
    // A caller that comes after the end looks once more, for newcomers, and finds nothing.
    const later = forward.result.flat().filter((answer) => String(answer.run) !== first?.run);
    expect(total([later], 'migrated')).toBe(0);

    expect(forward.percentages.length).toBeGreaterThan(2);
    for (const percentage of forward.percentages) {
      expect(percentage).toBeGreaterThanOrEqual(0);
      expect(percentage).toBeLessThanOrEqual(100);
    }
    expect(Math.max(...forward.percentages.slice(0, 2))).toBeLessThan(100);

    const back = await sampled(callAtOnce(db, CALLERS, 'rollback_batch', { max_ms: 50 }));
    expect(total(back.result, 'rolled_back')).toBe(USERS);
    expect(total(back.result, 'conflicts')).toBe(0);
    for (const percentage of back.percentages) expect(percentage).toBeLessThanOrEqual(100);
    expect(await checksums(sql)).toEqual(original);
    expect(await count(sql, 'public.avatars')).toBe(0);
    expect(await count(sql, 'public.posts where avatar_id is not null')).toBe(0);
    expect(await count(sql, 'public.follows where avatar_id is not null')).toBe(0);
    expect(await count(sql, 'public.users where active_avatar_id is not null')).toBe(0);
  });

  test('of migrate_batch while the app signs up, posts, follows and deletes: nobody is lost', async () => {
    const sql = await largeApp(300);
    const app = db.connect();
    const working = callAtOnce(db, CALLERS, 'migrate_batch', { batch_size: 3, max_ms: 50 });
    let signedUp = 0;
    let deleted = 0;
    const busyApp = (async () => {
      for (let i = 1; i <= 60; i++) {
        const user = `md5('late ' || ${i})::uuid`;
        await app.unsafe(`
          with him as (insert into public.users (id, username) values (${user}, 'late_${i}') returning id)
          select from him`);
        signedUp += 1;
        await app.unsafe(`
          insert into public.posts (user_id, body)
          select id, 'new' from (values (${user}), ((select id from public.users order by md5(id::text || ${i}) limit 1))) v(id);
          insert into public.follows (follower_id, followed_id)
          select ${user}, id from public.users where id <> ${user} order by md5(id::text || ${i}) limit 2`);
        if (i % 6 === 0) {
          await app.unsafe(`delete from public.users where id = md5('late ' || ${i - 1})::uuid`);
          deleted += 1;
        }
      }
    })();
    const [{ percentages }] = await Promise.all([sampled(working), busyApp]);
    for (const percentage of percentages) expect(percentage).toBeLessThanOrEqual(100);
    await migrateAll(sql);
    await expectNobodyLost(sql, 300 + signedUp - deleted);
  });
});

describe('two workers on counters that the app keeps by trigger', () => {
  test('deadlock, are retried, and count every post once', async () => {
    const sql = await largeApp();
    const posts = await count(sql, 'public.posts');
    await prepareAll(sql);
    // Two counters, taken in the order of the posts: transactions meet in opposite orders. And the first users of the
    // second and the third lane do so for certain: each counts in one, waits at the gate, and then wants the counter of the other.
    await sql.unsafe(`
      create table public.counter (name text primary key, moved bigint not null);
      insert into public.counter values ('even', 0), ('odd', 0), ('first', 0), ('second', 0);

      create function public.count_post() returns trigger language plpgsql as $$
      begin
        update public.counter set moved = moved + 1
        where name = case get_byte(uuid_send(new.id), 0) % 2 when 0 then 'even' else 'odd' end;
        return null;
      end
      $$;
      create trigger count_post after update on public.posts for each row execute function public.count_post();

      create function public.meet() returns trigger language plpgsql as $$
      declare
        lane integer;
      begin
        select l.number into lane
        from imago.lane l
        where l.pass = 'main' and l.number in (2, 3) and new.owner_user_id = (
          select u.id from public.users u where u.id > l.lower_key::uuid order by u.id limit 1);
        if found then
          update public.counter set moved = moved + 1 where name = case lane when 2 then 'first' else 'second' end;
          perform pg_advisory_xact_lock_shared(4711);
          update public.counter set moved = moved + 1 where name = case lane when 2 then 'second' else 'first' end;
        end if;
        return null;
      end
      $$;
      create trigger meet after insert on public.avatars for each row execute function public.meet();
      -- A deadlock is to be found, not waited out.
      update imago.setting set value = '20000' where name = 'lock_timeout_ms'`);
    await db
      .connect({ role: 'supabase_admin' })
      .unsafe(`alter database ${db.name} set deadlock_timeout = '20ms'`);

    // The call that starts the run has others wait for its end: the workers come after it.
    expect(await call(sql, 'migrate_batch', { batch_size: 1, max_ms: 1 })).toMatchObject({ migrated: 1 });
    const gate = db.connect();
    await gate`select pg_advisory_lock(4711)`;
    const workers = callAtOnce(db, 2, 'migrate_batch', { batch_size: 40, max_ms: 200 });
    const waiting = async () =>
      (await value<number>(
        sql,
        `select count(*)::int from pg_locks l join pg_database d on d.oid = l.database
         where d.datname = current_database() and l.locktype = 'advisory' and l.objid = 4711 and not l.granted`,
      )) === 2;
    await until('both workers wait at the gate, one counter each', waiting);
    await gate`select pg_advisory_unlock(4711)`;

    const { result: answers, percentages } = await sampled(workers);
    for (const percentage of percentages) expect(percentage).toBeLessThanOrEqual(100);
    expect(answers.flat().filter((answer) => answer.status === 'deferred').length).toBeGreaterThan(0);
    expect(total(answers, 'migrated')).toBe(USERS - 1);
    await expectNobodyLost(sql);
    expect(await call(sql, 'get_migration_performance_stats')).toMatchObject({ state: 'succeeded' });
    expect(await count(sql, "imago.log where sqlstate = '40P01'")).toBeGreaterThan(0);
    const counters = await sql<
      { name: string; moved: number }[]
    >`select name, moved::integer from public.counter`;
    const moved = Object.fromEntries(counters.map((counter) => [counter.name, counter.moved]));
    expect(moved).toMatchObject({ first: 2, second: 2 });
    expect((moved.even ?? 0) + (moved.odd ?? 0)).toBe(posts);
  });
});

test('a post and a follow that arrive while their user is being moved are moved, too', async () => {
  const sql = await largeApp(60);
  await prepareAll(sql);
  // With sync they would wait for the batch.
  await stopSync(sql);
  await sql.unsafe(`
    create function public.wait_at_gate() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock_shared(4712);
      return null;
    end
    $$;
    create trigger wait_at_gate after insert on public.avatars for each statement execute function public.wait_at_gate();
    update imago.setting set value = '20000' where name = 'lock_timeout_ms'`);
  const gate = db.connect();
  await gate`select pg_advisory_lock(4712)`;
  const worker = db.connect();
  const pid = await pidOf(worker);
  const answer = call(worker, 'migrate_batch', { batch_size: 60 });
  await untilBlocked(sql, pid);
  // Their avatar is made, and the batch has read what they have.
  await sql`insert into public.posts (user_id, body) select id, 'just now' from public.users`;
  await sql`
    insert into public.follows (follower_id, followed_id)
    select u.id, v.id from public.users u join public.users v on v.id > u.id on conflict do nothing`;
  await gate`select pg_advisory_unlock(4712)`;
  expect(await answer).toMatchObject({ failed: 0, failures_left: 0, error: null });
  expect((await migrateAll(sql)).at(-1)).toMatchObject({
    status: 'done',
    state: 'succeeded',
    failures_left: 0,
  });
  await expectNobodyLost(sql, 60);
});

describe('workers, windows and canaries together', () => {
  /** Calls once more after a refusal that passes: a lock was not granted, or a transition was under way. */
  async function again(work: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!['IM016', 'IM025'].includes((error as DatabaseError).code)) throw error;
      }
    }
  }

  test('move every user once', async () => {
    const sql = await largeApp();
    const original = await checksums(sql);
    await prepareAll(sql);
    const users = (await sql<{ id: string }[]>`select id from public.users order by id`).map((row) => row.id);
    let moved = 0;

    const worker = async () => {
      const answers = await callUntilDone(db.connect(), 'migrate_batch', { batch_size: 5, max_ms: 40 });
      moved += answers.reduce((sum, answer) => sum + answer.migrated, 0);
    };
    const window = async (batch_offset: number) => {
      const client = db.connect();
      let offset: number | null = batch_offset;
      while (offset !== null) {
        const answer = await again(() =>
          call(client, 'migrate_users_batch', { batch_size: 20, batch_offset: offset }),
        );
        moved += answer.migrated;
        offset = answer.next_offset;
        if (answer.retry_after_ms) await delay(answer.retry_after_ms);
      }
    };
    const canary = async (step: number) => {
      const client = db.connect();
      for (let i = 0; i < USERS; i += 3) {
        const user = users[(i * step) % USERS];
        const answer = await again(() => call(client, 'migrate_user_to_avatar_centric', { user_id: user }));
        moved += answer.migrated ? 1 : 0;
      }
    };
    const together = Promise.all([
      worker(),
      worker(),
      worker(),
      window(0),
      window(300),
      canary(1),
      canary(7),
      canary(599),
    ]);
    const { percentages } = await sampled(together);
    for (const percentage of percentages) expect(percentage).toBeLessThanOrEqual(100);
    moved += (await migrateAll(sql)).reduce((sum, answer) => sum + answer.migrated, 0);
    expect(moved).toBe(USERS);
    await expectNobodyLost(sql);
    expect(await count(sql, "imago.run where state <> 'succeeded'")).toBe(0);
    expect(await checksums(sql)).toEqual(original);

    const back = await callAtOnce(db, 4, 'rollback_batch', { max_ms: 100 });
    expect(total(back, 'rolled_back')).toBe(USERS);
    expect(await checksums(sql)).toEqual(original);
    expect(await count(sql, 'public.avatars')).toBe(0);
  });

  test('a call takes half of its time while others are at work', async () => {
    const sql = await largeApp(20);
    await prepareAll(sql);
    await call(sql, 'migrate_batch', { batch_size: 1, max_ms: 1 });
    const budget = (maxMs: number) =>
      value<number>(sql, 'select imago.call_budget(r, $1, false) from imago.run r', [maxMs]);
    expect(await budget(2000)).toBe(2000);
    await db.connect().begin(async (tx) => {
      await tx`select imago.lock_run(r.id, shared => true) from imago.run r`;
      expect(await budget(2000)).toBe(1000);
      expect(await budget(120)).toBe(100);
      expect(await budget(20)).toBe(20);
      const [own] = await tx`select imago.call_budget(r, 2000, false) as ms from imago.run r`;
      expect(own?.ms).toBe(2000);
    });
    expect(await budget(2000)).toBe(2000);
  });

  test('a user that a window sets aside, because a canary is at work on them, is not left set aside', async () => {
    const sql = await largeApp(20);
    await prepareAll(sql);
    // The call that starts the run has others wait for its end.
    await call(sql, 'migrate_batch', { batch_size: 1, max_ms: 1 });
    const user = await value<string>(sql, 'select id from public.users order by id offset 1 limit 1');
    await db.connect().begin(async (tx) => {
      await tx`select public.migrate_user_to_avatar_centric(${user})`;
      expect(await call(sql, 'migrate_users_batch', { batch_size: 5, batch_offset: 0 })).toMatchObject({
        migrated: 3,
        failed: 1,
      });
    });
    expect((await migrateAll(sql)).at(-1)).toMatchObject({
      status: 'done',
      state: 'succeeded',
      failures_left: 0,
    });
    await expectNobodyLost(sql, 20);
  });
});
