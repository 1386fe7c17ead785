/** The plan staging_to_production: forward, both sides kept equal, references populated, back, finalize, equal to staging, clean-up. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call, refusal } from '../support/call.ts';
import { catalogOf } from '../support/catalog.ts';
import { createApp } from '../support/conformance/app.ts';
import { freshDatabase, madeOnce, type TestDatabase } from '../support/database.ts';
import { cleanUpAll, finalizeAll } from '../support/finalize.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { pidOf, untilBlocked } from '../support/until.ts';
import { checkOf, found, validated } from '../support/validation.ts';

const plan = 'staging_to_production';
const USERS = 120;
/** The app's tables, with the columns to leave out of checksums. */
const APP = { User: ['enabled'], UserImage: [], Booking: ['newStatus'] };
const NEW_TABLES = [
  'Image',
  'Skill',
  'ServiceToJobType',
  'Technician',
  'Customer',
  'PhoneNumber',
  'EmailAddress',
  'ServiceToJobTypeSkill',
  'TechnicianSkill',
];

let databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.map((db) => db.drop()));
  databases = [];
});

async function fill(sql: Sql): Promise<void> {
  await sql`select set_config('sample.references', 'on', false)`;
  await createApp(sql, 'tests/support/staging_to_production.sql', USERS);
  await sql.unsafe('analyze');
}

const appMade = madeOnce(fill);
const migratedMade = madeOnce(async (sql) => {
  await fill(sql);
  await forward(sql);
});

const populatedMade = madeOnce(async (sql) => {
  await fill(sql);
  await forward(sql);
  await validated(sql, { plan, fix_issues: true });
});

async function copyOf(template: string): Promise<Sql> {
  const db = await freshDatabase({ template });
  databases.push(db);
  return db.sql;
}

const app = async () => await copyOf(await appMade());

async function forward(sql: Sql): Promise<void> {
  const last = (await migrateAll(sql, { plan })).at(-1);
  expect([...(await sql`select stage, entity, kind, sqlstate, table_name from imago.failure`)]).toEqual([]);
  expect(last).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0, error: null });
}

async function back(sql: Sql): Promise<void> {
  const last = (await rollbackAll(sql, { plan })).at(-1);
  expect([...(await sql`select stage, entity, kind, table_name, reason from imago.failure`)]).toEqual([]);
  expect(last).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0 });
}

const migrated = async () => await copyOf(await migratedMade());

/** Migrated, with placeholders for what bookings refer to. */
const populated = async () => await copyOf(await populatedMade());

const rows = async (sql: Sql, table: string) =>
  Number((await sql`select count(*)::int as n from ${sql(`public.${table}`)}`)[0]?.n);

/** The files of the app's tables: other ones after a rewrite. */
const nodes = async (sql: Sql) => [
  ...(await sql`select relname, relfilenode from pg_class where relname in ('User', 'UserImage', 'Booking') order by 1`),
];

describe('staging_to_production before a run', () => {
  test('the preflight counts references that point nowhere, with sample keys, and statuses value by value', async () => {
    const sql = await app();
    const answer = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' });
    const problems = answer.problems as { severity: string; object: string; message: string }[];
    expect(
      problems.map(
        ({ severity, object, message }) => `${severity} ${object}: ${message.replace(/\(.*\)/, '(…)')}`,
      ),
    ).toEqual([
      'warning public."Booking".status: 30 bookings hold no known status and become SCHEDULED',
      'warning public."Booking"."customerId": 120 bookings point at no row of "Customer" (…)',
      'warning public."Booking"."serviceId": 90 bookings point at no row of "ServiceToJobType" (…)',
      'warning public."Booking"."technicianId": 60 bookings point at no row of "Technician" (…)',
    ]);
    expect(problems[1]?.message).toMatch(/\(bkg\w+, bkg\w+, bkg\w+, …\)/);

    const statistics = await call(sql, 'get_migration_statistics', { plan });
    expect(statistics.bookings_pointing_nowhere).toEqual({
      customerId: 120,
      serviceId: 90,
      technicianId: 60,
    });
    const by = Object.fromEntries(
      (statistics.booking_statuses as { value: string; becomes: string; bookings: number }[]).map((s) => [
        s.value,
        s,
      ]),
    );
    expect(by.CANCELLED).toEqual({ value: 'CANCELLED', becomes: 'CANCELED', bookings: 15 });
    expect(by['no show']).toEqual({ value: 'no show', becomes: 'SCHEDULED', bookings: 15 });
    expect(Object.keys(by)).toHaveLength(8);

    const check = checkOf(await validated(sql, { plan, detailed: true }), 'unknown_statuses');
    expect(check).toMatchObject({
      severity: 'warning',
      phase: 'before',
      found: 2,
      facts: { tbd: 15, scheduled: 15 },
    });
    // Counts and keys are for the log, values are not.
    await prepareAll(sql, plan);
    expect([...(await sql`select from imago.log where detail::text like '%no show%'`)]).toEqual([]);
  });

  test('the preflight does not count a large table: it estimates, with sample keys', async () => {
    const sql = await app();
    await sql`update imago.setting set value = 0 where name = 'direct_mb'`;
    const answer = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' });
    const said = (answer.problems as { message: string }[]).map(({ message }) => message);
    expect(said).toEqual([
      expect.stringMatching(
        /^about 120 bookings point at no row of "Customer", .* \(bkg\w+, bkg\w+, bkg\w+, …\)$/,
      ),
      expect.stringMatching(/^about 90 bookings .*"ServiceToJobType"/),
      expect.stringMatching(/^about 60 bookings .*"Technician"/),
    ]);
  });

  test('an app without these tables is refused, and nothing changes', async () => {
    const db = await freshDatabase({ app: 'none' });
    databases.push(db);
    expect(await refusal(call(db.sql, 'migrate_batch', { plan }))).toMatchObject({ code: 'IM006' });
    expect([
      ...(await db.sql`select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`),
    ]).toEqual([]);
  });

  test('a dry run moves both stages and leaves nothing', async () => {
    const sql = await app();
    const before = await checksums(sql, { User: [], UserImage: [], Booking: [] });
    const answer = await call(sql, 'dry_run_migration', { plan, mode: 'full' });
    expect(answer).toMatchObject({ migrated: 2 * USERS, failures: [], undeclared: [], side_effects: [] });
    expect(answer.rows).toMatchObject({ 'public."Image"': USERS, 'public."Booking"': USERS });
    expect(await checksums(sql, { User: [], UserImage: [], Booking: [] })).toEqual(before);
    expect(
      (
        await sql`select to_regclass('public."Image"') as image, to_regtype('public."BookingStatus"') as status`
      )[0],
    ).toEqual({ image: null, status: null });
  });
});

describe('staging_to_production forward', () => {
  test('keeps the ids of images, gives statuses their meaning, and rewrites no table', async () => {
    const sql = await app();
    const before = await nodes(sql);
    await forward(sql);
    expect(await nodes(sql)).toEqual(before);
    expect([
      ...(await sql`select from "UserImage" u full join "Image" i using (id, url, "publicId", "uploadedAt") where u is null or i is null`),
    ]).toEqual([]);
    expect(
      Object.fromEntries(
        (
          await sql`select status, min("newStatus"::text) as becomes from "Booking" group by status having count(distinct "newStatus") = 1`
        ).map((r) => [r.status, r.becomes]),
      ),
    ).toEqual({
      scheduled: 'SCHEDULED',
      SCHEDULED: 'SCHEDULED',
      Pending: 'PENDING',
      CANCELLED: 'CANCELED',
      canceled: 'CANCELED',
      Completed: 'COMPLETED',
      'no show': 'SCHEDULED',
      tbd: 'SCHEDULED',
    });
    expect((await sql`select count(*)::int as n from "User" where enabled`)[0]?.n).toBe(USERS);
  });

  test('and back, half-way too, leaves the app as it was', async () => {
    const sql = await app();
    const before = await checksums(sql, APP);
    await prepareAll(sql, plan);
    await call(sql, 'migrate_batch', { plan, max_ms: 1, batch_size: 10 });
    await back(sql);
    expect(await checksums(sql, APP)).toEqual(before);
    await forward(sql);
    await back(sql);
    expect(await checksums(sql, APP)).toEqual(before);
    expect(await rows(sql, 'Image')).toBe(0);
    expect((await sql`select count("newStatus")::int as n from "Booking"`)[0]?.n).toBe(0);
  });
});

describe('sync of staging_to_production', () => {
  const image = async (sql: Sql, table: 'Image' | 'UserImage', id: string) =>
    (await sql`select url, "publicId" from ${sql(`public.${table}`)} where id = ${id}`)[0];
  const booking = async (sql: Sql, id: string) =>
    (await sql`select status, "newStatus" from "Booking" where id = ${id}`)[0];

  test('what the old side writes is on the new one, and goes back with it', async () => {
    const sql = await migrated();
    const [first] = await sql`select id from "UserImage" order by id limit 1`;
    await sql`insert into "UserImage" (id, url, "publicId") values ('new', 'u', 'p')`;
    expect(await image(sql, 'Image', 'new')).toEqual({ url: 'u', publicId: 'p' });
    await sql`update "UserImage" set url = 'changed' where id in ('new', ${first?.id})`;
    expect(await image(sql, 'Image', 'new')).toMatchObject({ url: 'changed' });
    expect(await image(sql, 'Image', first?.id)).toMatchObject({ url: 'changed' });
    await sql`delete from "UserImage" where id = 'new'`;
    expect(await image(sql, 'Image', 'new')).toBeUndefined();

    await sql`insert into "Booking" (id, "scheduledFor", status) values ('b1', now(), 'pending')`;
    expect(await booking(sql, 'b1')).toEqual({ status: 'pending', newStatus: 'PENDING' });
    await sql`update "Booking" set status = 'cancelled' where id = 'b1'`;
    expect(await booking(sql, 'b1')).toEqual({ status: 'cancelled', newStatus: 'CANCELED' });
    const before = await checksums(sql, APP);
    await back(sql);
    expect(await checksums(sql, APP)).toEqual(before);
    expect(await rows(sql, 'Image')).toBe(0);
  });

  test('what could not go over stays where it is when another column of the image does', async () => {
    const sql = await migrated();
    const [one, two] = await sql`select id from "UserImage" order by id limit 2`;
    await sql`alter table "Image" add constraint refused check (url <> 'ahead') not valid`;
    await sql`alter table "UserImage" add constraint refused check (url <> 'behind') not valid`;
    await sql`update "UserImage" set url = 'ahead' where id = ${one?.id}`;
    await sql`update "Image" set url = 'behind' where id = ${two?.id}`;
    await sql`alter table "Image" drop constraint refused`;
    await sql`alter table "UserImage" drop constraint refused`;
    await sql`update "Image" set "publicId" = 'p' where id = ${one?.id}`;
    await sql`update "UserImage" set "publicId" = 'p' where id = ${two?.id}`;
    expect(await image(sql, 'UserImage', one?.id)).toEqual({ url: 'ahead', publicId: 'p' });
    expect(await image(sql, 'Image', two?.id)).toEqual({ url: 'behind', publicId: 'p' });
    await forward(sql);
    expect(await image(sql, 'Image', one?.id)).toEqual({ url: 'ahead', publicId: 'p' });
  });

  test('what the new side writes is on the old one, without a loop', async () => {
    const sql = await migrated();
    await sql`insert into "Image" (id, url, "publicId") values ('new', 'u', 'p')`;
    expect(await image(sql, 'UserImage', 'new')).toEqual({ url: 'u', publicId: 'p' });
    await sql`update "Image" set url = 'changed' where id = 'new'`;
    expect(await image(sql, 'UserImage', 'new')).toMatchObject({ url: 'changed' });
    await sql`delete from "Image" where id = 'new'`;
    expect(await image(sql, 'UserImage', 'new')).toBeUndefined();

    await sql`insert into "Booking" (id, "scheduledFor", "newStatus") values ('b1', now(), 'COMPLETED')`;
    expect(await booking(sql, 'b1')).toEqual({ status: 'COMPLETED', newStatus: 'COMPLETED' });
    await sql`update "Booking" set "newStatus" = 'CANCELED' where id = 'b1'`;
    expect(await booking(sql, 'b1')).toEqual({ status: 'CANCELED', newStatus: 'CANCELED' });
    // Who writes both is believed on the new side; what means the same is left as it is.
    await sql`update "Booking" set "newStatus" = 'PENDING', status = 'completed' where id = 'b1'`;
    expect(await booking(sql, 'b1')).toEqual({ status: 'PENDING', newStatus: 'PENDING' });
    const [free] = await sql`select id from "Booking" where status = 'no show' limit 1`;
    await sql`update "Booking" set "newStatus" = 'PENDING' where id = ${free?.id}`;
    await sql`update "Booking" set status = 'tbd' where id = ${free?.id}`;
    expect(await booking(sql, free?.id)).toEqual({ status: 'tbd', newStatus: 'SCHEDULED' });
    const before = await checksums(sql, APP);
    await back(sql);
    expect(await checksums(sql, APP)).toEqual(before);
  });
});

describe('references of bookings that point nowhere', () => {
  test('are found, populated once for all bookings by marked rows, and taken back', async () => {
    const sql = await migrated();
    const before = await checksums(sql, APP);
    expect(found(await validated(sql, { plan }))).toEqual({
      bookings_without_customer: 120,
      bookings_without_service: 90,
      bookings_without_technician: 60,
    });
    expect(await refusal(call(sql, 'finalize_migration', { plan }))).toMatchObject({
      code: 'IM038',
      message: expect.stringMatching(
        /bookings_without_customer finds 120 \(bkg\w+, bkg\w+, bkg\w+, …\).*bookings_without_service finds 90 .*bookings_without_technician finds 60 /,
      ),
    });

    const fixed = await validated(sql, { plan, fix_issues: true });
    expect(checkOf(fixed, 'bookings_without_customer')).toMatchObject({
      found: 120,
      left: 0,
      written: { 'public."Customer"': 7, 'public."PhoneNumber"': 7 },
    });
    expect(found(await validated(sql, { plan }))).toEqual({});
    expect([
      await rows(sql, 'Customer'),
      await rows(sql, 'PhoneNumber'),
      await rows(sql, 'ServiceToJobType'),
      await rows(sql, 'Technician'),
    ]).toEqual([7, 7, 3, 5]);
    expect([
      ...(await sql`select name, count(distinct "customerId")::int as n, max("customerId") < 0 as negative from "Customer" group by name`),
    ]).toEqual([{ name: 'Placeholder', n: 7, negative: true }]);
    expect([...(await sql`select "technicianName", enabled from "Technician" group by 1, 2`)]).toEqual([
      { technicianName: 'Placeholder', enabled: false },
    ]);

    await back(sql);
    expect(await checksums(sql, APP)).toEqual(before);
    for (const table of NEW_TABLES) expect([table, await rows(sql, table)]).toEqual([table, 0]);
  });

  test('whose placeholder is referred to, or was made real, keep it', async () => {
    const sql = await populated();
    await sql`insert into "Skill" values ('s', 'Plumbing')`;
    await sql`insert into "TechnicianSkill" values ('tec1', 's')`;
    await sql`update "Customer" set name = 'Ada' where id = 'cus1'`;
    expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ state: 'failed', conflicts: 3 });
    expect([
      ...(await sql`select table_name, reason from imago.failure where kind = 'conflict' order by 1`),
    ]).toMatchObject([
      { table_name: 'public."Customer"', reason: 'edited' },
      { table_name: 'public."PhoneNumber"', reason: expect.stringContaining('referenced by') },
      { table_name: 'public."Technician"', reason: expect.stringContaining('referenced by') },
    ]);
    expect([
      await rows(sql, 'Customer'),
      await rows(sql, 'PhoneNumber'),
      await rows(sql, 'Technician'),
      await rows(sql, 'TechnicianSkill'),
    ]).toEqual([1, 1, 1, 1]);
  });
});

describe('finalize of staging_to_production', () => {
  /** What `supabase db diff` says leads from one database's schema public to the other's. */
  async function difference(from: string, to: string): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-diff-'));
    try {
      const file = path.join(folder, 'diff.sql');
      const bin = path.join(
        path.dirname(createRequire(import.meta.url).resolve('supabase/package.json')),
        'dist/supabase.js',
      );
      await promisify(execFile)(
        process.execPath,
        [
          bin,
          '--workdir',
          folder,
          'db',
          'diff',
          '--from',
          from,
          '--to',
          to,
          '--schema',
          'public',
          '-o',
          file,
        ],
        {
          env: { ...process.env, SUPABASE_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', NO_COLOR: '1' },
        },
      );
      return await readFile(file, 'utf8').catch(() => '');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  test('the schema equals staging, "UserImage" goes at clean-up', async () => {
    const sql = await populated();
    const user = (await sql`select "imageId" from "User" where "imageId" is not null limit 1`)[0];
    const before = await nodes(sql);
    await finalizeAll(sql, { plan });
    expect(await nodes(sql)).toEqual(before);
    expect(
      (await sql`select finalized_at is not null as done from imago.plan where name = ${plan}`)[0],
    ).toEqual({ done: true });
    expect([
      ...(await sql`select "status"::text, count(*)::int as n from "Booking" group by 1 order by 1`),
    ]).toEqual([
      { status: 'CANCELED', n: 30 },
      { status: 'COMPLETED', n: 15 },
      { status: 'PENDING', n: 15 },
      { status: 'SCHEDULED', n: 60 },
    ]);
    expect([
      ...(await sql`select status, count(*)::int as n from staging_to_production.kept_status group by 1 order by 1`),
    ]).toEqual([
      { status: 'no show', n: 15 },
      { status: 'tbd', n: 15 },
    ]);

    const staging = await freshDatabase();
    databases.push(staging);
    await staging.sql.unsafe(await readFile(new URL('../support/staging.sql', import.meta.url), 'utf8'));
    const production = databases[0] as TestDatabase;
    expect(await rows(sql, 'UserImage')).toBe(USERS);
    const [wanted, finalized] = [await catalogOf(staging.sql), await catalogOf(sql)];
    expect(wanted.filter((line) => !finalized.includes(line))).toEqual([]);
    const more = finalized.filter((line) => !wanted.includes(line));
    expect(more).not.toEqual([]);
    expect(more.filter((line) => !line.includes('UserImage'))).toEqual([]);

    await sql`delete from "Image" where id = ${user?.imageId}`;
    expect([...(await sql`select from "User" where "imageId" = ${user?.imageId}`)]).toEqual([]);
    // PostgreSQL 18 has a code of its own for restrict.
    expect(['23001', '23503']).toContain((await refusal(sql`delete from "Customer"`)).code);
    expect(await refusal(call(sql, 'rollback_batch', { plan }))).toMatchObject({ code: 'IM039' });

    await cleanUpAll(sql, { plan, older_than: '0 seconds' });
    expect((await sql`select to_regclass('public."UserImage"') as gone`)[0]).toEqual({ gone: null });
    expect(await call(sql, 'get_migration_statistics', { plan })).toMatchObject({
      images: USERS - 1,
      users_needing_migration: 0,
    });
    expect(await call(sql, 'get_detailed_migration_progress', { plan })).toMatchObject({
      phase: 'cleaned up',
      pending_users: 0,
    });
    expect(await difference(production.url, staging.url)).toBe('');
    expect(await catalogOf(sql)).toEqual(wanted);
  });

  test('is not stopped half-way by what comes between the checks and the swap', async () => {
    const sql = await populated();
    for (;;) {
      const answer = await call(sql, 'finalize_migration', { plan });
      if (answer.step === 'swap') break;
      expect(answer.has_more).toBe(true);
    }
    await sql`insert into "Booking" (id, "scheduledFor", "customerId", "serviceId", "technicianId") values ('late', now(), 'c?', 's?', 't?')`;
    // As a booking whose sync has failed.
    await sql`alter table "Booking" drop constraint "Booking_status_set"`;
    await sql`update "Booking" set status = null, "oldStatus" = 'completed' where id = 'late'`;
    await sql`alter table "Booking" add constraint "Booking_status_set" check (status is not null) not valid`;
    const answers = await finalizeAll(sql, { plan });
    expect(answers.flatMap((answer) => answer.warnings)).toEqual(
      ['customerId', 'serviceId', 'technicianId'].map((name) =>
        expect.stringContaining(`1 bookings came while finalize began, with a "${name}"`),
      ),
    );
    expect(
      (
        await sql`select b.status::text, c.name, s.enabled from "Booking" b join "Customer" c on c.id = b."customerId" join "ServiceToJobType" s on s.id = b."serviceId" join "Technician" t on t.id = b."technicianId" where b.id = 'late'`
      )[0],
    ).toEqual({ status: 'COMPLETED', name: 'Placeholder', enabled: false });
  });

  test('of many bookings takes many calls, each within the statement timeout; one that is killed is done again', async () => {
    const MANY = 20_000;
    const db = await freshDatabase({ app: 'none' });
    databases.push(db);
    const sql = db.connect();
    await sql`select set_config('sample.references', 'on', false)`;
    await createApp(sql, 'tests/support/staging_to_production.sql', MANY);
    await sql.unsafe('analyze');
    await sql`set statement_timeout = '1500ms'`;
    await forward(sql);
    await validated(sql, { plan, fix_issues: true });

    const until = async (name: string) => {
      for (let calls = 0; calls < 100; calls++) {
        const answer = await call(sql, 'finalize_migration', { plan });
        if (answer.step === name) return answer;
      }
      throw new Error(`finalize never came to ${name}`);
    };
    await until('swap');
    await db.sql`
      insert into "Booking" (id, "scheduledFor", "customerId", "technicianId")
      select 'late' || n, now(), 'c' || n, 't' || n % 7 from generate_series(1, 300) n`;
    await db.sql`update imago.setting set value = 20 where name = 'sub_batch_ms'`;
    await until('foreign key of "Booking"."technicianId"');
    // Killed while it makes placeholders: somebody holds the number that one of them wants.
    const [other, dying] = [db.connect(), db.connect()];
    await other`begin`;
    await other`insert into "Customer" (id, "customerId", name, type, "phoneNumberId")
      values ('c300', 7, 'Ada', 'RESIDENTIAL', (select min(id) from "PhoneNumber"))`;
    const pid = await pidOf(dying);
    const killed = expect(call(dying, 'finalize_migration', { plan })).rejects.toThrow();
    await untilBlocked(db.sql, pid);
    await db.sql`select pg_terminate_backend(${pid})`;
    await killed;
    await other`commit`;
    const answers = await finalizeAll(sql, { plan });
    expect(answers.at(-1)?.state).toBe('finalized');
    expect([
      ...(await sql`select count(*)::int as n from "Customer" where id ~ '^c[0-9]+$' group by name order by name`),
    ]).toEqual([{ n: 1 }, { n: 299 }]);
    expect(await rows(sql, 'Technician')).toBe(5 + 7);
    expect((await sql`select count(*)::int as n from staging_to_production.kept_status`)[0]).toEqual({
      n: MANY / 4,
    });
    expect([...(await sql`select from pg_constraint where not convalidated`)]).toEqual([]);
  });

  test('after a rollback clean-up drops what prepare added and is empty', async () => {
    const sql = await populated();
    await back(sql);
    await cleanUpAll(sql, { plan, older_than: '0 seconds' });
    expect([
      ...(await sql`select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`),
    ]).toEqual([{ relname: 'Booking' }, { relname: 'User' }, { relname: 'UserImage' }]);
    expect([...(await sql`select attname from pg_attribute where attname = 'newStatus'`)]).toEqual([]);
    expect([
      ...(await sql`select typname from pg_type where typtype = 'e' and typnamespace = 'public'::regnamespace`),
    ]).toEqual([{ typname: 'Role' }]);
    // And it can be done again from the start.
    await forward(sql);
  });
});
