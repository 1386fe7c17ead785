/** The plan profile_gigs on a Prisma-style app: forward, both sides kept equal, back, finalize, clean-up. */
import type { ISql, Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call, type DatabaseError, refusal, value } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import { finalize, prepare } from '../support/conformance/steps.ts';
import { freshDatabase, madeOnce, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { contents } from '../support/plan.ts';
import { expectNoTraces } from '../support/state.ts';
import { found, validated } from '../support/validation.ts';

const plan = 'profile_gigs';
const ADDED = ['isProfileGig', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates'];
/** The app's tables, without the columns that the plan adds. */
const APP = { User: [], Gigs: ADDED, Orders: [] };

const APP_SQL = 'tests/support/profile_gigs.sql';

let databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.map((db) => db.drop()));
  databases = [];
});

const appMade = madeOnce((sql) => createApp(sql, APP_SQL, 200));
const migratedMade = madeOnce(async (sql) => {
  await createApp(sql, APP_SQL, 200);
  await forward(sql);
});

async function copyOf(template: string): Promise<TestDatabase> {
  const db = await freshDatabase({ template });
  databases.push(db);
  return db;
}

const app = async () => await copyOf(await appMade());

/** The app, migrated. */
const migrated = async () => await copyOf(await migratedMade());

async function forward(sql: Sql): Promise<void> {
  const last = (await migrateAll(sql, { plan })).at(-1);
  expect(last).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0, error: null });
}

async function back(sql: Sql): Promise<void> {
  const last = (await rollbackAll(sql, { plan })).at(-1);
  expect(await sql`select entity, kind, reason from imago.failure`).toEqual([]);
  expect(last).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0 });
}

/** Users and their profile gigs whose sides differ, row by row. */
async function differing(sql: ISql): Promise<unknown[]> {
  return [
    ...(await sql`
      select u.id from "User" u join "Gigs" g on g."userId" = u.id and g."isProfileGig"
      where g.skills is distinct from u.skills or g."codingLanguages" is distinct from u."codingLanguages"
         or g."yearsOfExperience" <> coalesce(u."yearsOfExperience", 0) or g.certificates is distinct from u.certificates`),
  ];
}

/** Ids of three users with a profile gig. */
async function freelancers(sql: Sql): Promise<[number, number, number]> {
  const rows = await sql<{ id: number }[]>`
    select "userId" as id from "Gigs" where "isProfileGig" order by 1 limit 3`;
  return rows.map(({ id }) => id) as [number, number, number];
}

/** Calls cleanup_migration until it is done, as if the verification period was over. */
async function cleanup(sql: Sql): Promise<void> {
  for (let calls = 0; calls < 100; calls++) {
    if (!(await call(sql, 'cleanup_migration', { plan, older_than: '0' })).has_more) return;
  }
  throw new Error('not cleaned up after 100 calls');
}

test('profile_gigs forward: every freelancer whose profile is set gets one profile gig, in the words agreed', async () => {
  const { sql } = await app();
  const before = await checksums(sql, APP);
  const dry = await call(sql, 'dry_run_migration', { plan, mode: 'full' });
  expect(dry).toMatchObject({ status: 'done', failed: 0, undeclared: [] });
  expect(await checksums(sql, APP)).toEqual(before);
  expect(await value(sql, `select to_regclass('profile_gigs.pending')`)).toBeNull();

  await forward(sql);
  const users = await sql`select * from "User" where role = 'freelancer' and "isProfileInfoSet" order by id`;
  const gigs = await sql`select * from "Gigs" where "isProfileGig" order by "userId"`;
  expect(dry.migrated).toBe(users.length);
  expect(users.length).toBe(100);
  expect(gigs.map(({ id: _id, createdAt: _createdAt, ...gig }) => gig)).toEqual(
    users.map((user) => {
      const name = user.fullName?.trim() ? user.fullName : user.username;
      return {
        title: `${name}'s Professional Profile`,
        description: user.description?.trim() ? user.description : `Professional profile for ${name}`,
        category: 'Development & IT',
        deliveryTime: 1,
        revisions: 1,
        features: ['Professional Profile'],
        price: 0,
        shortDesc: `Professional profile for ${name}`,
        images: [],
        userId: user.id,
        isProfileGig: true,
        skills: user.skills,
        codingLanguages: user.codingLanguages,
        yearsOfExperience: user.yearsOfExperience ?? 0,
        certificates: user.certificates,
      };
    }),
  );
  expect(new Set(users.map(({ fullName }) => fullName))).toContain('');
  expect(await validated(sql, { plan })).toMatchObject({ healthy: true });
  expect(await call(sql, 'get_migration_statistics', { plan })).toMatchObject({ profile_gigs: 100 });

  await back(sql);
  expect(await checksums(sql, APP)).toEqual(before);
  await expectNoTraces(sql, plan);
});

describe('profile_gigs, while both sides hold the data', () => {
  test('what is written on one is on the other in the same transaction, null, empty, Unicode and all', async () => {
    const { sql } = await migrated();
    const [one, two] = await freelancers(sql);
    const lists = [null, [], ['Ἑλληνικά, "quoted"'], ['a', null, '']];
    for (const skills of lists) {
      await sql.begin(async (tx) => {
        await tx`update "User" set skills = ${skills}, "yearsOfExperience" = null where id = ${one}`;
        expect(await differing(tx)).toEqual([]);
        await tx`update "Gigs" set certificates = ${skills}, "codingLanguages" = ${skills} where "userId" = ${two}`;
        expect(await differing(tx)).toEqual([]);
      });
      expect(
        await value(sql, 'select to_jsonb(skills) from "Gigs" where "userId" = $1 and "isProfileGig"', [one]),
      ).toEqual(skills);
      expect(await value(sql, 'select to_jsonb(certificates) from "User" where id = $1', [two])).toEqual(
        skills,
      );
    }
    // No years and 0 years are the same to a gig; a user who has none keeps none.
    await sql`update "Gigs" set skills = '{x}' where "userId" = ${one} and "isProfileGig"`;
    expect(await value(sql, 'select "yearsOfExperience" from "User" where id = $1', [one])).toBeNull();
    await sql`update "Gigs" set "yearsOfExperience" = 12 where "userId" = ${one} and "isProfileGig"`;
    expect(await value(sql, 'select "yearsOfExperience" from "User" where id = $1', [one])).toBe(12);
    // Ordinary gigs are no profiles.
    const [user] =
      await sql`select id, skills from "User" where id in (select "userId" from "Gigs" where not "isProfileGig") limit 1`;
    await sql`update "Gigs" set skills = '{other}' where "userId" = ${user?.id} and not "isProfileGig"`;
    expect(await value(sql, 'select skills from "User" where id = $1', [user?.id])).toEqual(user?.skills);
    // Whole tables at once.
    await sql`update "User" set skills = skills || ${['bulk']}`;
    expect(await differing(sql)).toEqual([]);
    await sql`update "Gigs" set certificates = certificates || ${['bulk']}`;
    expect(await differing(sql)).toEqual([]);
  });

  test('users who become freelancers get a profile gig in the same transaction, and keep it when they stop', async () => {
    const { sql } = await migrated();
    const profiles = (tx: Sql, user: number) =>
      tx`select * from "Gigs" where "userId" = ${user} and "isProfileGig"`;
    const [born] = await sql`
      insert into "User" (username, email, password, role, "isProfileInfoSet", skills, "updatedAt")
      values ('newcomer', 'newcomer@example.test', 'x', 'freelancer', true, '{Rust}', now()) returning id`;
    expect(await profiles(sql, born?.id ?? 0)).toMatchObject([
      { title: "newcomer's Professional Profile", skills: ['Rust'] },
    ]);

    const [client] = await sql`select id from "User" where role = 'client' order by id limit 1`;
    await sql`update "User" set role = 'freelancer' where id = ${client?.id}`;
    expect(await profiles(sql, client?.id ?? 0)).toHaveLength(0);
    await sql`update "User" set "isProfileInfoSet" = true, "yearsOfExperience" = 4 where id = ${client?.id}`;
    expect(await profiles(sql, client?.id ?? 0)).toMatchObject([{ yearsOfExperience: 4 }]);

    await sql`update "User" set role = 'client', skills = '{Sales}' where id = ${client?.id}`;
    expect(await profiles(sql, client?.id ?? 0)).toMatchObject([{ skills: ['Sales'] }]);
    expect(await validated(sql, { plan })).toMatchObject({ healthy: true });

    // What was born migrated goes back with all others.
    await back(sql);
    expect(await value(sql, 'select count(*)::int from "Gigs" where "isProfileGig"')).toBe(0);
    expect(await value(sql, 'select skills from "User" where id = $1', [client?.id])).toEqual(['Sales']);
  });

  test('a gig that the app deletes is made again by the next write, fix or batch, and not in its own transaction', async () => {
    const { sql } = await migrated();
    const [one, two, three] = await freelancers(sql);
    const gigs = `select count(*)::int from "Gigs" where "userId" = $1 and "isProfileGig"`;
    await sql`delete from "Gigs" where "userId" in ${sql([one, two, three])} and "isProfileGig"`;
    expect(await value(sql, gigs, [one])).toBe(0);
    expect(found(await validated(sql, { plan }))).toMatchObject({ freelancers_without_gig: 3 });

    await sql`update "User" set skills = '{again}' where id = ${one}`;
    expect(await value(sql, gigs, [one])).toBe(1);
    // The app may replace it by one of its own: what that leaves open comes from the user.
    await sql`update "User" set certificates = '{C1}' where id = ${two}`;
    await sql.begin(async (tx) => {
      await tx`delete from "Gigs" where "userId" = ${two} and "isProfileGig"`;
      await tx`
        insert into "Gigs" (title, description, category, "deliveryTime", revisions, price, "shortDesc", "userId", "isProfileGig", skills)
        values ('Mine', '', 'Design', 1, 1, 0, '', ${two}, true, '{Own}')`;
    });
    expect(
      await value(
        sql,
        `select to_jsonb(u) - '{"createdAt","updatedAt"}'::text[] from "User" u where id = $1`,
        [two],
      ),
    ).toMatchObject({
      skills: ['Own'],
      certificates: ['C1'],
    });
    expect(await differing(sql)).toEqual([]);
    expect(await validated(sql, { plan, fix_issues: true })).toMatchObject({ healthy: true });
    expect(await value(sql, gigs, [three])).toBe(1);
    await back(sql);
    expect(await sql`select title, skills from "Gigs" where "isProfileGig"`).toEqual([
      { title: 'Mine', skills: ['Own'] },
    ]);
  });

  test('the profile gig of a user who is deleted goes along where the foreign key cascades', async () => {
    const { sql } = await migrated();
    await sql.unsafe(`
      alter table "Gigs" drop constraint "Gigs_userId_fkey";
      alter table "Gigs" add constraint "Gigs_userId_fkey" foreign key ("userId") references "User" (id) on delete cascade`);
    const [one] =
      await sql`select id from "User" u where (select count(*) from "Gigs" g where g."userId" = u.id) = 1 limit 1`;
    await sql`delete from "User" where id = ${one?.id}`;
    expect(await value(sql, 'select count(*)::int from "Gigs" where "isProfileGig"')).toBe(99);
    expect(await validated(sql, { plan })).toMatchObject({ healthy: true });
    await back(sql);
    await expectNoTraces(sql, plan);
  });

  test('a second profile gig of a user is refused', async () => {
    const { sql } = await migrated();
    const [row] = await sql`select id, "userId" from "Gigs" g where not "isProfileGig" and exists (
      select from "Gigs" p where p."userId" = g."userId" and p."isProfileGig") limit 1`;
    const error = await refusal(sql`update "Gigs" set "isProfileGig" = true where id = ${row?.id}`);
    expect(error).toMatchObject({ code: '23505', constraint_name: 'Gigs_profile_gig_key' });
  });

  test('a sync that fails lets the write pass; what was written last is copied later, whichever side it was', async () => {
    const { sql } = await migrated();
    const [one, two, three] = await freelancers(sql);
    await sql`alter table "Gigs" add constraint few check ("yearsOfExperience" < 50) not valid`;
    await sql`alter table "User" add constraint few check ("yearsOfExperience" < 40) not valid`;
    await sql`alter table "User" drop constraint few`;
    await sql`update "User" set "yearsOfExperience" = 55 where id = ${one}`;
    await sql`alter table "User" add constraint few check ("yearsOfExperience" < 40) not valid`;
    await sql`update "Gigs" set "yearsOfExperience" = 45 where "userId" in (${two}, ${three}) and "isProfileGig"`;
    expect(await differing(sql)).toHaveLength(3);
    expect(found(await validated(sql, { plan }))).toEqual({ sides_differ: 3 });
    await sql`alter table "Gigs" drop constraint few`;
    await sql`alter table "User" drop constraint few`;
    // What is written meanwhile takes nothing along that the other side has yet to give.
    await sql`update "Gigs" set skills = '{later}' where "userId" = ${one} and "isProfileGig"`;
    await sql`update "User" set skills = '{later}' where id = ${three}`;
    await forward(sql);
    expect(await differing(sql)).toEqual([]);
    const years =
      await sql`select id, "yearsOfExperience" as years, skills[1] as skill from "User" where id in (${one}, ${two}, ${three}) order by id`;
    expect(years).toMatchObject([
      { id: one, years: 55, skill: 'later' },
      { id: two, years: 45 },
      { id: three, years: 45, skill: 'later' },
    ]);
    // Which of the two has the last word on that gig, the journal cannot tell: its user is left alone, until forced.
    const last = (await rollbackAll(sql, { plan })).at(-1);
    expect([...(await sql`select entity, reason from imago.failure`)]).toEqual([
      { entity: String(three), reason: 'edited' },
    ]);
    expect(last).toMatchObject({ conflicts: 1 });
  });

  test('a sync that fails for many gigs at once lets the write pass; all are copied later', async () => {
    const { sql } = await migrated();
    await sql`alter table "User" add constraint few check ("yearsOfExperience" < 40) not valid`;
    const gigs = await sql`update "Gigs" set "yearsOfExperience" = 45 where "isProfileGig"`;
    expect(gigs.count).toBeGreaterThan(50);
    expect(await value(sql, 'select count(*)::int from profile_gigs.pending')).toBe(gigs.count);
    await sql`alter table "User" drop constraint few`;
    await forward(sql);
    expect(await differing(sql)).toEqual([]);
    expect(await value(sql, 'select count(*)::int from "User" where "yearsOfExperience" = 45')).toBe(
      gigs.count,
    );
  });

  test('a difference where nothing tells which side was written last is reported and left alone', async () => {
    const { sql } = await migrated();
    const [one] = await freelancers(sql);
    await sql`alter table "Gigs" disable trigger user`;
    await sql`update "Gigs" set skills = '{behind the back}' where "userId" = ${one} and "isProfileGig"`;
    await sql`alter table "Gigs" enable trigger user`;
    expect(found(await validated(sql, { plan, fix_issues: true }))).toMatchObject({
      sides_differ_undecided: 1,
    });
    expect(await value(sql, 'select count(*)::int from profile_gigs.pending')).toBe(0);
    expect(await refusal(finalize(sql, plan))).toMatchObject({ code: 'IM038' });
  });

  test('live writers on both sides: none of their writes fails, and the sides are equal in the end, row by row', async () => {
    const db = await app();
    const { sql } = db;
    await prepareAll(sql, plan);
    let going = true;
    const writer = async (seed: number, write: (session: Sql, n: number) => Promise<unknown>) => {
      const session = db.connect();
      let count = 0;
      try {
        for (; going; count++) await write(session, seed + 37 * count);
      } catch (error) {
        // Which session waited for which, and in which statement of ours.
        const { message, detail, where } = error as DatabaseError;
        throw new Error(`writer ${seed}: ${[message, detail, where].join(' · ')}`, { cause: error });
      }
      return count;
    };
    // Each locks its rows in key order: two statements that write several rows in the order in which they lie can
    // deadlock without Imago, too.
    const writers = Promise.all([
      writer(
        1,
        (s, n) =>
          s`update "User" set skills = ${[`u${n}`]} where id in (select id from "User" where id % 40 = ${n % 40} order by id for no key update)`,
      ),
      writer(
        2,
        (s, n) =>
          s`update "User" set "yearsOfExperience" = ${n % 30} where id in (select id from "User" where id % 40 = ${n % 40} order by id for no key update)`,
      ),
      writer(
        3,
        (s, n) =>
          s`update "Gigs" set certificates = ${[`g${n}`]} where id in (select id from "Gigs" where "isProfileGig" and "userId" % 40 = ${n % 40} order by id for no key update)`,
      ),
      writer(
        4,
        (s, n) =>
          s`update "Gigs" set skills = ${[`g${n}`]} where id in (select id from "Gigs" where "isProfileGig" and "userId" % 40 = ${n % 40} order by id for no key update)`,
      ),
      writer(
        5,
        (s, n) =>
          s`update "User" set role = ${n % 2 ? 'freelancer' : 'client'} where id in (select id from "User" where id % 50 = ${n % 50} and not "isProfileInfoSet" order by id for no key update)`,
      ),
    ]);
    // One that fails is heard of where they are awaited.
    writers.catch(() => undefined);
    try {
      for (let calls = 0; calls < 400; calls++) {
        if (!(await call(sql, 'migrate_batch', { plan, batch_size: 5, max_ms: 1 })).has_more) break;
      }
    } finally {
      going = false;
    }
    for (const count of await writers) expect(count).toBeGreaterThan(5);
    await call(sql, 'retry_failed_migrations', { plan }).catch(() => undefined);
    await forward(sql);
    expect(await differing(sql)).toEqual([]);
    expect(await validated(sql, { plan })).toMatchObject({ healthy: true });
    // Writers who came from both sides at once may have waited for each other until one went on without its sync. What it
    // wrote to the gig is then somebody's edit, also when it was written over since.
    const users = await checksums(sql, { User: [] });
    await rollbackAll(sql, { plan });
    expect(
      await sql`
        select entity, reason from imago.failure f
        where not exists (select from imago.sync_failure s where s.entity = f.entity and f.reason = 'edited')`,
    ).toEqual([]);
    await rollbackAll(sql, { plan, force: true });
    expect(await checksums(sql, { User: [] })).toEqual(users);
    expect(await value(sql, 'select count(*)::int from "Gigs" where "isProfileGig"')).toBe(0);
  });
});

describe('rollback of profile_gigs', () => {
  test('leaves the user what was written last on either side; that is no conflict', async () => {
    const { sql } = await migrated();
    const [one, two, three] = await freelancers(sql);
    await sql`update "User" set skills = '{U}' where id = ${one}`;
    await sql`update "Gigs" set skills = '{G}' where "userId" = ${two} and "isProfileGig"`;
    await sql`update "User" set skills = '{U}' where id = ${three}`;
    await sql`update "Gigs" set skills = '{U,G}' where "userId" = ${three} and "isProfileGig"`;
    await back(sql);
    const rows = await sql`select id, skills from "User" where id in ${sql([one, two, three])} order by id`;
    expect(rows.map(({ skills }) => skills)).toEqual([['U'], ['G'], ['U', 'G']]);
    await expectNoTraces(sql, plan);
  });

  test('keeps a profile gig that was ordered, or edited otherwise, also when it was mirrored since', async () => {
    const { sql } = await migrated();
    const [edited, both, ordered] = await freelancers(sql);
    await sql`update "Gigs" set title = 'New title' where "userId" = ${edited} and "isProfileGig"`;
    await sql`update "User" set skills = '{later}' where id = ${edited}`;
    await sql`update "Gigs" set title = 'New title', skills = '{x}' where "userId" = ${both} and "isProfileGig"`;
    await sql`
      insert into "Orders" ("gigId", "buyerId", price)
      select id, "userId", 1 from "Gigs" where "userId" = ${ordered} and "isProfileGig"`;
    const last = (await rollbackAll(sql, { plan })).at(-1);
    expect(last).toMatchObject({ status: 'done', conflicts: 3 });
    const conflicts =
      await sql`select entity::int, reason from imago.failure where kind = 'conflict' order by 1`;
    expect(conflicts).toEqual([
      { entity: edited, reason: 'edited' },
      { entity: both, reason: 'edited' },
      { entity: ordered, reason: 'referenced by public."Orders"' },
    ]);
    expect(await value(sql, 'select count(*)::int from "Gigs" where "isProfileGig"')).toBe(3);
  });

  test('and clean-up after it drop what prepare has added', async () => {
    const { sql } = await migrated();
    const columns = `select string_agg(attname, ',' order by attnum) from pg_attribute
      where attrelid = '"Gigs"'::regclass and attnum > 0 and not attisdropped`;
    await back(sql);
    expect(await value(sql, columns)).toContain('isProfileGig');
    await cleanup(sql);
    expect(await value(sql, columns)).not.toContain('isProfileGig');
    await forward(sql);
  });
});

describe('finalize of profile_gigs', () => {
  const userColumns = `select string_agg(attname, ',' order by attnum) from pg_attribute
    where attrelid = '"User"'::regclass and attnum > 0 and not attisdropped`;

  test('keeps the columns of all users aside, drops them, and clean-up ends it', async () => {
    const db = await migrated();
    const { sql } = db;
    const columns = `id, skills, "codingLanguages", "yearsOfExperience", certificates`;
    const before = await contents(sql, [`(select ${columns} from "User")`]);
    const gigs = await contents(sql, ['"Gigs"']);
    const answers = await finalize(sql, plan);
    expect(answers.at(-1)).toMatchObject({ state: 'finalized' });
    expect(await value(sql, userColumns)).toBe(
      'id,username,email,password,fullName,role,isProfileInfoSet,profileImage,description,createdAt,updatedAt',
    );
    const aside = await contents(sql, [`(select ${columns} from profile_gigs.users_aside)`]);
    expect(Object.values(aside)).toEqual(Object.values(before));
    expect(Object.values(aside)[0]).toHaveLength(200);
    expect(await contents(sql, ['"Gigs"'])).toEqual(gigs);
    expect(await sql`select tgname from pg_trigger where tgname ~ 'imago'`).toEqual([]);
    // The app goes on.
    await sql`update "User" set role = 'client' where role = 'admin'`;
    await sql`update "Gigs" set skills = '{on its own}' where "isProfileGig"`;
    expect(await refusal(call(sql, 'rollback_batch', { plan }))).toMatchObject({ code: 'IM039' });
    expect(await call(sql, 'get_migration_statistics', { plan })).toMatchObject({ profile_gigs: 100 });
    expect(found(await validated(sql, { plan }))).toEqual({});

    await cleanup(sql);
    expect(await value(sql, `select to_regclass('profile_gigs.users_aside')`)).toBeNull();
    expect(await value(sql, 'select count(*)::int from "Gigs" where "isProfileGig"')).toBe(100);
  });

  test('refuses while a user without a profile gig holds values, unless the loss is accepted', async () => {
    const { sql } = await migrated();
    const [client] = await sql`select id from "User" where role = 'client' order by id limit 1`;
    await sql`update "User" set skills = '{Cooking}' where id = ${client?.id}`;
    const error = await refusal(finalize(sql, plan));
    expect(error).toMatchObject({ code: 'IM043' });
    expect(error.message).toContain(`1 users without a profile gig`);
    expect(error.message).toContain(`(${client?.id})`);
    expect(error.message).not.toContain('Cooking');
    expect(await value(sql, userColumns)).toContain('skills');
    expect(found(await validated(sql, { plan }))).toEqual({ values_without_gig: 1 });

    expect((await finalize(sql, plan, { allow_data_loss: true })).at(-1)).toMatchObject({
      state: 'finalized',
    });
    expect(
      await value(sql, 'select skills from profile_gigs.users_aside where id = $1', [client?.id]),
    ).toEqual(['Cooking']);
  });

  test('keeps aside what is written while it copies; left before its end, it can be rolled back', async () => {
    const { sql } = await migrated();
    const [one, two] = await freelancers(sql);
    while ((await call(sql, 'finalize_migration', { plan })).step !== 'all users aside');
    await sql`update "User" set skills = '{late}' where id = ${one}`;
    await sql`update "Gigs" set skills = '{late gig}' where "userId" = ${two} and "isProfileGig"`;
    await sql`delete from "User" where id in (select id from "User" u where role = 'admin' and not exists (select from "Gigs" where "userId" = u.id) limit 1)`;
    const equal = `select count(*)::int from "User" u full join profile_gigs.users_aside a using (id)
      where a is null or u is null or a.skills is distinct from u.skills`;
    expect(await value(sql, equal)).toBe(0);
    expect(await value(sql, 'select skills from profile_gigs.users_aside where id = $1', [two])).toEqual([
      'late gig',
    ]);
    await back(sql);
    await expectNoTraces(sql, plan);
    expect(await value(sql, 'select skills from "User" where id = $1', [one])).toEqual(['late']);

    await sql`update "User" set skills = '{once more}' where id = ${one}`;
    await forward(sql);
    expect((await finalize(sql, plan)).at(-1)).toMatchObject({ state: 'finalized' });
    expect(await value(sql, 'select skills from profile_gigs.users_aside where id = $1', [one])).toEqual([
      'once more',
    ]);
  });

  test('names what of the app stands on the columns, and drops none of that', async () => {
    const { sql } = await migrated();
    await sql`create view public.skilled as select id from "User" where cardinality(skills) > 1`;
    const error = await refusal(finalize(sql, plan));
    expect(error).toMatchObject({ code: 'IM048' });
    expect(error.message).toContain('skilled');
    await sql`drop view public.skilled`;
    expect((await finalize(sql, plan)).at(-1)).toMatchObject({ state: 'finalized' });
  });
});

describe('profile_gigs in other apps', () => {
  test('with an enum role, columns without default and names that do not fit: who cannot be moved is set aside', async () => {
    const { sql } = await app();
    await sql.unsafe(`
      create type "Role" as enum ('client', 'freelancer', 'admin');
      alter table "User" alter role drop default;
      alter table "User" alter role type "Role" using role::"Role";
      alter table "Gigs" add "updatedAt" timestamp(3);
      update "Gigs" set "updatedAt" = "createdAt";
      alter table "Gigs" alter "updatedAt" set not null;
      alter table "Gigs" alter title type varchar(60);
      update "User" set "fullName" = repeat('long ', 20) where id = 3`);
    expect((await migrateAll(sql, { plan })).at(-1)).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 1,
    });
    expect(await sql`select entity, sqlstate from imago.failure`).toEqual([
      { entity: '3', sqlstate: '22001' },
    ]);
    await sql`update "User" set "fullName" = 'Short' where id = 3`;
    await call(sql, 'retry_failed_migrations', { plan });
    await forward(sql);
    expect(await value(sql, 'select count(*)::int from "Gigs" where "isProfileGig"')).toBe(100);
    await back(sql);
  });

  test('what does not fit is named before anything is touched', async () => {
    const { sql } = await app();
    await sql.unsafe(`
      alter table "Gigs" add "sellerCode" text not null default 'x';
      alter table "Gigs" alter "sellerCode" drop default;
      alter table "Gigs" add skills text;
      alter table "User" drop certificates`);
    const before = await contents(sql, ['"Gigs"']);
    const { problems } = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' });
    const named = problems.map(
      ({ object, message }: { object: string; message: string }) => `${object} ${message}`,
    );
    expect(named).toEqual([
      'public."User".certificates column is missing',
      'public."Gigs".skills has type text',
      'public."Gigs"."sellerCode" is not null, has no default, and the plan has no value for it',
      'public."Gigs"."userId" by "Gigs_userId_fkey" keeps a user who has a gig from being deleted, and each freelancer will have one',
    ]);
    expect(await refusal(migrateAll(sql, { plan }))).toMatchObject({ code: 'IM006' });
    expect(await contents(sql, ['"Gigs"'])).toEqual(before);
  });

  test('on a large table the unique index is left to a statement that blocks nobody', async () => {
    const { sql } = await app();
    await sql`update imago.setting set value = '0' where name in ('direct_mb', 'hold_ms')`;
    const error = await refusal(prepareAll(sql, plan));
    expect(error).toMatchObject({ code: 'IM042' });
    expect(error.hint).toContain('create unique index concurrently "Gigs_profile_gig_key"');
    await prepare(sql, plan);
    await forward(sql);
    expect(
      await value(
        sql,
        `select indisvalid from pg_index where indexrelid = '"Gigs_profile_gig_key"'::regclass`,
      ),
    ).toBe(true);
  });

  test('texts of the app come from its own view profile_gig', async () => {
    const { sql } = await app();
    await prepareAll(sql, plan);
    await sql.unsafe(`
      drop view profile_gigs.profile_gig;
      create view profile_gigs.profile_gig as
        select id as "userId", true as "isProfileGig", upper(username) as title, '' as description, 'Other' as category,
          3 as "deliveryTime", 0 as revisions, 1 as price, '' as "shortDesc",
          skills, "codingLanguages", coalesce("yearsOfExperience", 0) as "yearsOfExperience", certificates
        from public."User"`);
    await forward(sql);
    expect(
      await sql`select title, category from "Gigs" where "isProfileGig" order by "userId" limit 1`,
    ).toEqual([{ title: 'USER_1', category: 'Other' }]);
    expect(await differing(sql)).toEqual([]);
  });
});
