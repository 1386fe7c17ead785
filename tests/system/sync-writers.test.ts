/** Syncs beside writers of the app and batches that work at the same moment. */
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { callAtOnce } from '../support/callers.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { PLAN } from '../support/plan.ts';
import { allChecksums, expectNoTraces, expectNothingDangles } from '../support/state.ts';
import { failedSyncs, stopSync } from '../support/sync.ts';
import { createTown, NO_FAULTS, townFaults } from '../support/town.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

describe('writers of the app and batches at the same time', () => {
  async function app(users = 30): Promise<TestDatabase> {
    const db = await freshDatabase({ app: 'sample', users });
    databases.push(db);
    return db;
  }

  const author = (sql: Sql) =>
    value<string>(sql, 'select user_id from public.posts group by user_id order by count(*) desc, 1 limit 1');

  /** Starts a statement that waits for a lock, and returns when it does. */
  async function waiting<T>(
    db: TestDatabase,
    statement: (one: Sql) => Promise<T>,
  ): Promise<{ answer: Promise<T> }> {
    const one = db.connect();
    const pid = await pidOf(one);
    const answer = statement(one);
    answer.catch(() => {});
    await untilBlocked(db.sql, pid);
    return { answer };
  }

  test('a post waits for the batch that moves its author, and gets the author’s avatar', async () => {
    const db = await app();
    const { sql } = db;
    await prepareAll(sql);
    const id = await author(sql);
    const mover = db.connect();
    await mover`begin`;
    await call(mover, 'migrate_user_to_avatar_centric', { user_id: id });
    const { answer } = await waiting(
      db,
      async (one) => await one`insert into public.posts (user_id, body) values (${id}, 'new')`,
    );
    await mover`commit`;
    await answer;
    expect(await failedSyncs(sql)).toEqual([]);
    expect(await value(sql, `select avatar_id is not null from public.posts where body = 'new'`)).toBe(true);
  });

  test('a post in flight is waited for by the batch that moves its author', async () => {
    const db = await app();
    const { sql } = db;
    await prepareAll(sql);
    const id = await author(sql);
    const one = db.connect();
    await one`begin`;
    await one`insert into public.posts (user_id, body) values (${id}, 'new')`;
    expect((await refusal(call(sql, 'migrate_user_to_avatar_centric', { user_id: id }))).code).toBe('IM025');
    await one`commit`;
    await migrateAll(sql);
    await expectAllMigrated(sql);
  });

  test('a post waits for the rollback of its author, and gets none; one in flight is waited for', async () => {
    const db = await app();
    const { sql } = db;
    // A column of the app's own gets no foreign key from the plan: nothing else would keep these apart.
    await sql`alter table public.posts add column avatar_id uuid`;
    await migrateAll(sql);
    const id = await author(sql);
    const mover = db.connect();
    await mover`begin`;
    await call(mover, 'rollback_user_migration', { user_id: id });
    const { answer } = await waiting(
      db,
      async (one) => await one`insert into public.posts (user_id, body) values (${id}, 'new')`,
    );
    await mover`commit`;
    await answer;
    expect(await value(sql, `select avatar_id from public.posts where body = 'new'`)).toBeNull();

    const [other] = await sql<
      { id: string }[]
    >`select id from public.users where active_avatar_id is not null limit 1`;
    const one = db.connect();
    await one`begin`;
    await one`insert into public.posts (user_id, body) values (${other?.id ?? ''}, 'in flight')`;
    const { answer: back } = await waiting(db, (session) => {
      return call(session, 'rollback_user_migration', { user_id: other?.id });
    });
    await one`commit`;
    await back.catch(() => call(sql, 'rollback_user_migration', { user_id: other?.id }));
    await rollbackAll(sql);
    expect(await failedSyncs(sql)).toEqual([]);
    await expectNothingDangles(sql);
    await expectNoTraces(sql);
    expect(await value(sql, 'select count(*)::int from public.posts where avatar_id is not null')).toBe(0);
  });

  test('who signs up while the last batch of a rollback ends goes back with the others', async () => {
    const db = await app();
    const { sql } = db;
    const original = await allChecksums(sql);
    await migrateAll(sql);
    const one = db.connect();
    await one`begin`;
    await one`insert into public.users (username) values ('last')`;
    expect(
      await value(one, `select active_avatar_id is not null from public.users where username = 'last'`),
    ).toBe(true);
    // The rollback has found nothing left and wants the tables, to take the triggers off, when the writer commits.
    await sql`update imago.setting set value = '20000' where name = 'lock_timeout_ms'`;
    const { answer } = await waiting(db, (session) => call(session, 'rollback_batch'));
    await one`commit`;
    expect(await answer).toMatchObject({ has_more: true });
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
    expect(await value(sql, `select active_avatar_id from public.users where username = 'last'`)).toBeNull();
    await sql`delete from public.users where username = 'last'`;
    expect(await allChecksums(sql)).toMatchObject(original);
  });

  test.each([
    ['sync keeps the posts off until the batch is done', true],
    ['without it the user is set aside', false],
  ])('a user who posts in each of three rounds of their own batch: %s', async (_, synced) => {
    const db = await app();
    const { sql } = db;
    await prepareAll(sql);
    if (!synced) await stopSync(sql);
    const id = await author(sql);
    await sql.unsafe(`
      create sequence public.round;
      create function public.wait_at_gate() returns trigger language plpgsql as $$
      begin
        if current_setting('imago.batch', true) <> '' and nextval('public.round') <= 3 then
          perform pg_advisory_xact_lock_shared(4800 + currval('public.round'));
        end if;
        return null;
      end
      $$;
      create trigger wait_at_gate after update on public.posts for each statement execute function public.wait_at_gate()`);
    const gates = db.connect();
    await gates`select pg_advisory_lock(4800 + n) from generate_series(1, 3) n`;
    await sql`update imago.setting set value = '20000' where name = 'lock_timeout_ms'`;
    const batch = await waiting(db, (one) => call(one, 'migrate_batch', { batch_size: 100 }));
    const posts: Promise<unknown>[] = [];
    for (const round of [1, 2, 3]) {
      await until(
        `round ${round} is at its gate`,
        async () => (await value(sql, 'select last_value::int from public.round')) === round || synced,
      );
      const post = async (one: Sql) =>
        await one`insert into public.posts (user_id, body) values (${id}, 'in between')`;
      if (synced) posts.push((await waiting(db, post)).answer);
      else await post(sql);
      await gates`select pg_advisory_unlock(4800 + ${round}::int)`;
      if (synced) break;
    }
    await gates`select pg_advisory_unlock_all()`;
    const answer = await batch.answer;
    await Promise.all(posts);
    expect(answer.failed).toBe(synced ? 0 : 1);
    expect(await value(sql, 'select count(*)::int from imago.failure')).toBe(synced ? 0 : 1);
    expect(await failedSyncs(sql)).toEqual([]);
    if (synced) await expectAllMigrated(sql);
  });

  test('two writers who post for one user and then update that user do not block each other once all are moved', async () => {
    const db = await app();
    const { sql } = db;
    await migrateAll(sql);
    const id = await author(sql);
    const [one, other] = [db.connect(), db.connect()];
    for (const writer of [one, other]) {
      await writer`begin`;
      await writer`insert into public.posts (user_id, body) values (${id}, 'new')`;
    }
    await one`set local lock_timeout = '5s'`;
    await one`update public.users set bio = 'one more post' where id = ${id}`;
    await one`commit`;
    await other`update public.users set bio = 'one more post' where id = ${id}`;
    await other`commit`;
    expect(await failedSyncs(sql)).toEqual([]);
    await expectAllMigrated(sql);
  });

  test('a deadlock with a batch ends the batch, never the app', async () => {
    const db = await app();
    const { sql } = db;
    await prepareAll(sql);
    const id = await author(sql);
    const one = db.connect();
    await one`begin`;
    await one`update public.posts set body = body || '!' where user_id = ${id}`;
    const { answer } = await waiting(db, (mover) =>
      call(mover, 'migrate_user_to_avatar_centric', { user_id: id }),
    );
    // The batch holds the user and waits for their posts; the app holds these and waits for the user.
    await one`insert into public.posts (user_id, body) values (${id}, 'new')`;
    await one`commit`;
    expect((await refusal(answer)).code).toBe('IM025');
    expect(await failedSyncs(sql)).toEqual([]);
    await migrateAll(sql);
    await expectAllMigrated(sql);
  });

  test('a batch that does not let go costs the app a moment, not its write', async () => {
    const db = await app();
    const { sql } = db;
    await prepareAll(sql);
    await sql`update imago.setting set value = '1' where name = 'sync_wait_ms'`;
    const id = await author(sql);
    const mover = db.connect();
    await mover`begin`;
    await call(mover, 'migrate_user_to_avatar_centric', { user_id: id });
    await sql`insert into public.posts (user_id, body) values (${id}, 'new')`;
    expect(await failedSyncs(sql)).toEqual([
      { entities: [id], sqlstate: '55P03', sync: 'new posts', constraint: null },
    ]);
    await mover`commit`;
    expect(await value(sql, 'select count(*)::int from avatars.pending where entity = $1', [id])).toBe(1);
    await migrateAll(sql);
    await expectAllMigrated(sql);
  });

  test('both sides are equal, row by row, after a forward run and a rollback among live writers', async () => {
    const db = await freshDatabase();
    databases.push(db);
    await createTown(db.sql, 60);
    const { sql } = db;
    // What each person's city is to be, whichever side was written.
    await sql.unsafe(`
      create table public.truth as select id, city from public.people;
      alter table public.truth add primary key (id);
      update imago.setting set value = '40' where name = 'sub_batch_ms';
      update imago.setting set value = '60000' where name = 'sync_wait_ms'`);
    let stopped = false;
    let writes = 0;
    const writer = async (number: number) => {
      const one = db.connect();
      for (let i = 0; !stopped; i++) {
        const person = 1 + ((i * 7 + number * 13) % 60);
        const city = `${number} ${i}`;
        const fresh = 1_000_000 * number + i;
        await one.begin(async (tx) => {
          await tx`select from public.truth where id = ${person} for update`;
          switch (i % 5) {
            case 0:
              await tx`update public.people set city = ${city} where id = ${person}`;
              await tx`update public.truth set city = ${city} where id = ${person}`;
              break;
            case 1: {
              const written = await tx`update public.profiles set city = ${city} where person = ${person}`;
              if (written.count > 0) await tx`update public.truth set city = ${city} where id = ${person}`;
              break;
            }
            case 2:
              await tx`insert into public.people (id, city) values (${fresh}, ${city})`;
              await tx`insert into public.truth values (${fresh}, ${city})`;
              break;
            case 3:
              await tx`insert into public.letters (id, person) values (${fresh}, ${person})`;
              break;
            default:
              await tx`update public.letters set person = ${person} where id = ${1 + ((i * 11) % 180)}`;
          }
        });
        writes += 1;
      }
    };
    const among = async (work: () => Promise<unknown>) => {
      stopped = false;
      const writers = [1, 2, 3].map((n) => writer(n + offset));
      await until('everybody writes', async () => writes > 20);
      await work().finally(() => {
        stopped = true;
      });
      await Promise.all(writers);
      offset += 3;
      writes = 0;
    };
    let offset = 0;

    await among(async () => {
      await callAtOnce(db, 3, 'migrate_batch', { plan: PLAN, batch_size: 4, max_ms: 100 });
    });
    expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'succeeded',
      failures_left: 0,
    });
    expect(await townFaults(sql)).toEqual(NO_FAULTS);
    const differ = `select count(*)::int from public.people p full join public.truth t using (id) where p.city is distinct from t.city`;
    expect(await value(sql, differ)).toBe(0);

    await among(async () => {
      await callAtOnce(db, 3, 'rollback_batch', { plan: PLAN, max_ms: 100 });
    });
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await value(sql, differ)).toBe(0);
    expect(await value(sql, 'select count(*)::int from public.profiles')).toBe(0);
    expect(await value(sql, 'select count(*)::int from public.letters where profile is not null')).toBe(0);
    await expectNoTraces(sql, PLAN);
    expect(await failedSyncs(sql)).toEqual([]);
  });
});
