import { afterEach, describe, expect, test } from 'vitest';
import { runHistoryAnswer } from '../../functions/_shared/validation.ts';
import { prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { type App, freshDatabase, type TestDatabase } from '../support/database.ts';
import { DEFECTS } from '../support/defects.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { allChecksums } from '../support/state.ts';
import { stopSync } from '../support/sync.ts';
import { createTally } from '../support/tally.ts';
import { pidOf, until } from '../support/until.ts';
import { checkOf, found, validate, validateAll, validated } from '../support/validation.ts';

let db: TestDatabase;
afterEach(() => db.drop());

async function start(app: App = 'sample', users = 40): Promise<TestDatabase> {
  db = await freshDatabase({ app, users });
  // The sample prepares the plan first, which may take longer than 2.5 s on a busy machine: that would be a finding.
  await db.sql.unsafe(`do $$ begin
    execute replace(pg_get_functiondef('imago.dry_run_limits'::regproc), '2500', '60000');
  end $$`);
  return db;
}

/** Every column of every table of the app, those that the plan added included. */
const everything = (): Promise<Record<string, string>> =>
  checksums(db.sql, { users: [], posts: [], follows: [], avatars: [] });

const moved = async (app: App = 'sample', users = 40): Promise<TestDatabase> => {
  db = await freshDatabase({ app, users, avatars: 'migrated' });
  return db;
};

describe('each check alone finds what is wrong, and fixes it if it can', () => {
  for (const defect of DEFECTS) {
    test(`${defect.check}: ${defect.what}`, async () => {
      const { sql } = await moved();
      const { avatars: _, ...original } = await checksums(sql);
      await migrateAll(sql);
      expect(found(await validated(sql))).toEqual({});
      await stopSync(sql);
      const keys = await defect.make(sql);
      const app = await allChecksums(sql);

      const answer = await validated(sql, { detailed: true });
      const expected: Record<string, number> = { [defect.check]: keys.length };
      if (defect.counted > 0) expected.counts = defect.counted;
      expect(found(answer)).toEqual(expected);
      const check = checkOf(answer, defect.check);
      expect(check.keys).toEqual(keys.slice(0, 10));
      expect(check).toMatchObject({ fixable: defect.fixable, partial: false, error: null });
      expect(answer).toMatchObject({ phase: 'after', has_more: false, percentage: 100 });
      expect(answer.healthy).toBe(check.severity !== 'error');
      expect(
        answer[check.severity === 'manual' ? 'manual' : check.severity === 'error' ? 'errors' : 'warnings'],
      ).toBe(keys.length);

      const before = await everything();
      const runs = await value(sql, 'select count(*)::int from imago.run');
      const promise = await validated(sql, { fix_issues: true, dry_run: true });
      expect(await everything()).toEqual(before);
      expect(await value(sql, 'select count(*)::int from imago.run')).toBe(runs);
      expect(checkOf(promise, defect.check).would_fix ?? 0).toBe(defect.fixable ? keys.length : 0);

      const fixed = await validated(sql, { fix_issues: true });
      if (defect.fixable) {
        expect(checkOf(fixed, defect.check)).toMatchObject({ fixed: keys.length, left: 0, error: null });
        // What was said is what is done.
        expect(checkOf(fixed, defect.check).written).toEqual(checkOf(promise, defect.check).written);
        expect(fixed).toMatchObject({ fixed: keys.length, fixes_failed: 0, errors: 0, warnings: 0 });
      } else {
        expect(await everything()).toEqual(before);
        expect(fixed).toMatchObject({ fixed: 0, fixes_failed: 0 });
        await defect.mend?.(sql, keys);
      }
      expect(found(await validated(sql))).toEqual({});

      // Fixes go back like anything else: what the app wrote, the defect included where it wrote it, is as it was.
      const back = (await rollbackAll(sql)).at(-1);
      expect(back).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0 });
      const { avatars: __, ...own } = await checksums(sql);
      if (defect.fixable)
        expect(await checksums(sql)).toMatchObject({
          users: app.users,
          posts: app.posts,
          follows: app.follows,
        });
      else expect(own).toEqual(original);
      expect(found(await validated(sql))).toEqual({});
    });
  }
});

describe('validation of a healthy database', () => {
  for (const app of ['sample', 'guide'] as const) {
    test(`${app}: nothing is found before, prepared, half-way, while it is taken back, after, and after rollback`, async () => {
      await start(app, 120);
      const { sql } = db;
      const expectHealthy = async (phase: string) => {
        const answer = await validated(sql, { detailed: true });
        expect(found(answer)).toEqual({});
        expect(answer).toMatchObject({
          phase,
          healthy: true,
          errors: 0,
          warnings: 0,
          manual: 0,
          has_more: false,
        });
        expect(answer.checks.filter((check) => check.error)).toEqual([]);
      };
      await expectHealthy('before');
      await prepareAll(sql);
      await expectHealthy('before');
      await sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
      while ((await call(sql, 'migrate_batch', { batch_size: 25 })).migrated === 0);
      await call(sql, 'migrate_batch', { batch_size: 25 });
      expect(
        await value(sql, 'select count(*)::int from users where active_avatar_id is null'),
      ).toBeGreaterThan(0);
      await expectHealthy('during');
      // How far a run is does not differ from app to app.
      if (app === 'sample') {
        await call(sql, 'pause_migration');
        await expectHealthy('during');
        await call(sql, 'cancel_migration');
        await expectHealthy('during');
      }
      await sql`update imago.setting set value = '50' where name = 'max_sub_batches'`;
      await migrateAll(sql);
      await expectHealthy('after');
      await sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
      await call(sql, 'rollback_batch');
      expect(
        await value(sql, 'select count(*)::int from users where active_avatar_id is null'),
      ).toBeGreaterThan(0);
      await expectHealthy('during');
      await sql`update imago.setting set value = '50' where name = 'max_sub_batches'`;
      await rollbackAll(sql);
      await expectHealthy('before');
    });
  }

  test('leaves out checks whose columns the app does not have', async () => {
    await start();
    const { sql } = db;
    await sql`alter table posts rename column user_id to written_by`;
    await migrateAll(sql);
    const answer = await validated(sql);
    expect(found(answer)).toEqual({});
    const apply = Object.fromEntries(answer.checks.map((check) => [check.name, check.applicable]));
    expect(apply).toMatchObject({
      posts_without_avatar: false,
      posts_with_wrong_avatar: false,
      posts_of_unknown_authors: false,
      follows_without_avatar: true,
      counts: true,
    });
    expect(checkOf(answer, 'counts').facts).toMatchObject({ users: 40, users_with_avatar: 40 });
  });
});

describe('validation before the first run', () => {
  const cases: {
    check: string;
    severity: string;
    object: RegExp;
    make: string;
    mend: string;
    also?: string;
  }[] = [
    {
      check: 'requirements',
      severity: 'error',
      object: /^public\.follows$/,
      make: 'alter table follows rename to following',
      mend: 'alter table following rename to follows',
    },
    {
      check: 'rights',
      severity: 'error',
      object: /^schema public$/,
      make: 'revoke create on schema public from postgres, public',
      mend: 'grant create on schema public to postgres',
      // The preflight refuses, too.
      also: 'requirements',
    },
    {
      check: 'unprotected_tables',
      severity: 'warning',
      object: /^public\.posts$/,
      make: 'alter table posts disable row level security',
      mend: 'alter table posts enable row level security',
    },
    {
      check: 'app_triggers',
      severity: 'warning',
      object: /^trigger audit on public\.posts$/,
      make: `create table audit (post uuid);
        create function audit() returns trigger language plpgsql as $$
          begin insert into public.audit values (new.id); return null; end $$;
        create trigger audit after update on posts for each row execute function audit()`,
      mend: 'drop trigger audit on posts',
    },
    {
      check: 'missing_indexes',
      severity: 'warning',
      object: /^public\.posts\.user_id$/,
      make: 'drop index posts_user_id_idx',
      mend: 'create index posts_user_id_idx on posts (user_id)',
    },
    {
      check: 'limitations',
      severity: 'warning',
      object: /^public\.posts$/,
      make: 'alter table posts rename column user_id to written_by',
      mend: 'alter table posts rename column written_by to user_id',
    },
    {
      check: 'free_connections',
      severity: 'warning',
      object: /^connections$/,
      make: "update imago.signal set slow = 100000 where name = 'connections'",
      mend: "update imago.signal set slow = 8 where name = 'connections'",
    },
    {
      check: 'sample',
      severity: 'warning',
      object: /./,
      make: `alter table users add constraint not_this_one check (active_avatar_id is null or username is distinct from 'poison');
        update users set username = 'poison' where id = (select id from users order by id limit 1)`,
      mend: 'alter table users drop constraint not_this_one',
    },
  ];
  for (const { check, severity, object, make, mend, also } of cases) {
    test(`${check}: seen, told what to do, and gone when fixed`, async () => {
      const { sql } = await start();
      if (check === 'sample') await prepareAll(sql);
      await sql.unsafe(make);
      const answer = await validated(sql, { detailed: true });
      expect(found(answer)).toEqual({ [check]: 1, ...(also && { [also]: 1 }) });
      const result = checkOf(answer, check);
      expect(result).toMatchObject({ severity, phase: 'before', fixable: false });
      expect(result.keys).toEqual([expect.stringMatching(object)]);
      expect(result.findings).toEqual([
        {
          object: expect.stringMatching(object),
          message: expect.stringMatching(/./),
          hint: expect.stringMatching(/./),
        },
      ]);
      expect(answer.healthy).toBe(severity !== 'error');
      await sql.unsafe(mend);
      expect(found(await validated(sql))).toEqual({});
    });
  }

  test('row_security: a role that sees only some rows is told so, by table', async () => {
    await start();
    const role = `${db.name}_narrow`;
    const admin = db.connect({ role: 'supabase_admin' });
    await admin.unsafe(`
      create role ${role};
      grant usage on schema imago, public to ${role};
      grant execute on all functions in schema imago to ${role};
      grant select on all tables in schema imago to ${role};
      alter table public.posts force row level security`);
    try {
      const look = () =>
        admin.begin(async (tx) => {
          await tx.unsafe(`set local role ${role}`);
          const [row] = await tx`
            select imago.check_row_security(p) -> 'findings' as findings from imago.plan p where p.name = 'avatars'`;
          return row?.findings as { object: string }[];
        });
      expect((await look()).map(({ object }) => object)).toContain('public.posts');
      await admin.unsafe(`alter role ${role} bypassrls`);
      expect(await look()).toEqual([]);
    } finally {
      await admin.unsafe(`drop owned by ${role}; drop role ${role}`);
    }
  });

  test('long_transactions: who has been in a transaction for long is named', async () => {
    await start();
    const { sql } = db;
    await sql`update imago.setting set value = '0' where name = 'long_transaction_ms'`;
    const idle = db.connect();
    await idle`begin`;
    const [{ pid } = { pid: 0 }] = await idle<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const answer = await validated(sql, { detailed: true });
    expect(found(answer)).toEqual({ long_transactions: 1 });
    expect(checkOf(answer, 'long_transactions').findings).toMatchObject([
      { object: `session ${pid}`, hint: `select pg_terminate_backend(${pid});` },
    ]);
    await idle`rollback`;
    expect(found(await validated(sql))).toEqual({});
  });

  test('the estimate comes from a sample that was moved and taken back', async () => {
    await start('sample', 200);
    const before = await checksums(db.sql);
    const { facts } = checkOf(await validated(db.sql), 'sample');
    expect(facts).toMatchObject({ entities: 200, sampled: expect.any(Number), rows: expect.any(Number) });
    expect(Number(facts.wal_bytes)).toBeGreaterThan(0);
    expect(await checksums(db.sql)).toEqual(before);
    expect(await value(db.sql, "select to_regclass('public.avatars') is null")).toBe(true);
  });
});

describe('validation of the journal', () => {
  test('names a missing undo table and a disabled trigger', async () => {
    await moved();
    const { sql } = db;
    await sql`alter table posts disable trigger "~imago_avatars_update"`;
    await sql`drop table imago_undo.avatars_public_follows`;
    const answer = await validated(sql, { detailed: true });
    expect(found(answer)).toEqual({ undo_journal: 2 });
    expect(checkOf(answer, 'undo_journal').keys.toSorted()).toEqual([
      'imago_undo.avatars_public_follows',
      'trigger "~imago_avatars_update" on public.posts',
    ]);
    await sql`alter table posts enable trigger "~imago_avatars_update"`;
    expect(found(await validated(sql))).toEqual({ undo_journal: 1 });
  });
});

describe('a call of validate_migration', () => {
  test('ends within its budget, says that it is partial, and the next goes on: the sum is the same', async () => {
    await moved('sample', 300);
    const { sql } = db;
    await sql`update posts set avatar_id = null where id in (select id from posts order by id limit 60)`;
    const whole = await validated(sql, { detailed: true });
    expect(found(whole).posts_without_avatar).toBe(60);
    await sql`update imago.setting set value = '1' where name = 'sub_batch_ms'`;
    const answers = await validateAll(sql, { detailed: true, max_ms: 1 });
    expect(answers.length).toBeGreaterThan(20);
    for (const [i, answer] of answers.slice(0, -1).entries()) {
      expect(answer).toMatchObject({ status: 'checking', partial: true, has_more: true, healthy: false });
      expect(answer.percentage).toBeLessThan(100);
      expect(answer.checked).toBeLessThanOrEqual(answers[i + 1]?.checked ?? 0);
      expect(answer.validation).toBe(answers[0]?.validation);
    }
    expect(answers.some((answer) => answer.checks.some((check) => check.partial && check.found > 0))).toBe(
      true,
    );
    expect(found(answers.at(-1) ?? whole)).toEqual(found(whole));
    expect(checkOf(answers.at(-1) ?? whole, 'posts_without_avatar').keys).toEqual(
      checkOf(whole, 'posts_without_avatar').keys,
    );

    // Fixing goes on in the same way.
    const fixing = await validateAll(sql, { fix_issues: true, max_ms: 1 });
    expect(fixing.filter((answer) => answer.status === 'fixing').length).toBeGreaterThan(3);
    expect(fixing.at(-1)).toMatchObject({ fixed: 60, errors: 0, healthy: true });
    expect(found(await validated(sql))).toEqual({});
  });

  test('a call whose time was up before it began does something all the same, while fixing too', async () => {
    await moved('sample', 60);
    const { sql } = db;
    await sql`update posts set avatar_id = null where id in (select id from posts order by id limit 3)`;
    await sql`update imago.setting set value = '1' where name = 'sub_batch_ms'`;
    await validate(sql, { fix_issues: true, max_ms: 1 });
    const late = () =>
      value<string>(
        sql,
        `select (imago.work_validation(v, imago.find_plan('avatars'), clock_timestamp() - interval '1 s')).state
         from imago.validation v order by v.id desc limit 1`,
      );
    const states: string[] = [];
    while (states.at(-1) !== 'done' && states.length < 500) states.push(await late());
    expect(states).toContain('fixing');
    expect(states.at(-1)).toBe('done');
    expect(await value(sql, 'select count(*)::int from posts where avatar_id is null')).toBe(0);
  });

  test('a dry run of fixes in many calls promises each finding once', async () => {
    await moved('sample', 60);
    const { sql } = db;
    await sql`update posts set avatar_id = null`;
    const posts = await value<number>(sql, 'select count(*)::int from posts');
    await sql`update imago.setting set value = '1' where name = 'sub_batch_ms'`;
    const answers = await validateAll(sql, { fix_issues: true, dry_run: true, max_ms: 1 });
    expect(answers.filter((answer) => answer.status === 'fixing').length).toBeGreaterThan(3);
    const check = checkOf(answers.at(-1) ?? (await validated(sql)), 'posts_without_avatar');
    expect(check).toMatchObject({ found: posts, would_fix: posts, fixed: 0, left: posts });
    expect(check.written).toMatchObject({ 'public.posts': posts });
    expect(await value(sql, 'select count(avatar_id)::int from posts')).toBe(0);
  });
});

describe('two callers of validate_migration', () => {
  test('the second is answered busy, with how far it is, and goes on when the first has ended', async () => {
    await moved();
    const { sql } = db;
    await sql`update imago.setting set value = '1' where name = 'sub_batch_ms'`;
    const first = await validate(sql, { max_ms: 1 });
    const other = db.connect();
    await other`begin`;
    const held = await validate(other, { max_ms: 1 });
    expect(held).toMatchObject({ status: 'checking', validation: first.validation });
    const busy = await validate(sql, { max_ms: 1 });
    expect(busy).toMatchObject({
      status: 'busy',
      has_more: true,
      validation: first.validation,
      checked: first.checked,
    });
    // Another kind of validation is not held up.
    expect(await validated(sql, { fix_issues: true, dry_run: true })).toMatchObject({ status: 'done' });
    await other`commit`;
    const next = await validate(sql, { max_ms: 1 });
    expect(next).toMatchObject({ status: 'checking', validation: first.validation });
    expect(next.checked).toBeGreaterThan(held.checked - 1);
  });

  test('the first call of both at once: one begins, the other is answered busy', async () => {
    await moved();
    const other = db.connect();
    await other`begin`;
    await validate(other);
    expect(await validate(db.sql)).toMatchObject({ status: 'busy', has_more: true, phase: 'after' });
    await other`commit`;
    expect(await validate(db.sql)).toMatchObject({ status: 'done', healthy: true });
  });

  test('one that dies leaves nothing behind, while fixing too', async () => {
    await moved();
    const { sql } = db;
    await sql`update posts set avatar_id = null`;
    const before = await everything();
    const other = db.connect();
    await other`begin`;
    expect(await validate(other, { fix_issues: true })).toMatchObject({ status: 'done', errors: 0 });
    await other`rollback`;
    expect(await everything()).toEqual(before);
    expect(await value(sql, "select count(*)::int from imago.validation where state <> 'done'")).toBe(0);
    expect(
      await value(sql, "select count(*)::int from imago.run where state in ('pending', 'running', 'paused')"),
    ).toBe(0);
    expect(await validated(sql, { fix_issues: true })).toMatchObject({ errors: 0, fixes_failed: 0 });
  });

  test('those who migrate or roll back while a call fixes wait, and go on', async () => {
    await moved();
    const { sql } = db;
    await sql`update posts set avatar_id = null`;
    await sql`update imago.setting set value = '100' where name = 'state_lock_timeout_ms'`;
    const other = db.connect();
    await other`begin`;
    await validate(other, { fix_issues: true });
    expect(await call(sql, 'migrate_batch')).toMatchObject({ status: 'busy', has_more: true });
    expect(await call(sql, 'rollback_batch')).toMatchObject({ status: 'busy', has_more: true });
    await other`commit`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await value(sql, 'select count(avatar_id)::int from posts')).toBe(0);
  });
});

describe('fixes of validate_migration', () => {
  test('are refused while the plan is under way, and a pause holds', async () => {
    await start('sample', 120);
    const { sql } = db;
    await prepareAll(sql);
    await sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
    while ((await call(sql, 'migrate_batch', { batch_size: 25 })).migrated === 0);
    await sql`
      update posts set avatar_id = (select active_avatar_id from users where id <> posts.user_id and active_avatar_id is not null limit 1)
      where id = (select p.id from posts p where p.avatar_id is not null order by 1 limit 1)`;
    await call(sql, 'pause_migration');
    const before = await everything();
    const answer = await validated(sql);
    expect(found(answer)).toEqual({ posts_with_wrong_avatar: 1 });
    expect(checkOf(answer, 'posts_with_wrong_avatar').fixable).toBe(false);
    const error = await refusal(validate(sql, { fix_issues: true }));
    expect(error).toMatchObject({ code: 'IM027', message: expect.stringContaining('forward and paused') });
    expect(await everything()).toEqual(before);
    await call(sql, 'cancel_migration');
    expect(await refusal(validate(sql, { fix_issues: true }))).toMatchObject({ code: 'IM027' });
    await sql`update imago.setting set value = '50' where name = 'max_sub_batches'`;
    await migrateAll(sql);
    expect(await validated(sql, { fix_issues: true })).toMatchObject({ fixed: 1, errors: 0, healthy: true });
  });

  test('of a poisoned row set its user aside and fix the others', async () => {
    await moved();
    const { sql } = db;
    const [poisoned] = await sql<
      { id: string }[]
    >`select user_id as id from posts group by 1 order by 1 limit 1`;
    await sql`update posts set avatar_id = null`;
    const posts = await value<number>(sql, 'select count(*)::int from posts');
    const theirs = await value<number>(sql, 'select count(*)::int from posts where user_id = $1', [
      poisoned?.id,
    ]);
    await sql.unsafe(
      `alter table posts add constraint poison check (user_id <> '${poisoned?.id}' or avatar_id is null) not valid`,
    );

    const answer = await validated(sql, { fix_issues: true });
    expect(answer).toMatchObject({ fixed: posts - theirs, fixes_failed: 1, errors: theirs, healthy: false });
    expect(checkOf(answer, 'posts_without_avatar')).toMatchObject({
      fixed: posts - theirs,
      left: theirs,
      fixes_failed: 1,
      error: null,
    });
    expect(await sql`select entity, kind, sqlstate, constraint_name from imago.failure`).toMatchObject([
      { entity: poisoned?.id, kind: 'failed', sqlstate: '23514', constraint_name: 'poison' },
    ]);
    expect(await value(sql, 'select state || error_code from imago.run order by id desc limit 1')).toBe(
      'failedset_aside',
    );

    // They are set aside: left alone until someone asks for them.
    expect(await validated(sql, { fix_issues: true })).toMatchObject({
      fixed: 0,
      fixes_failed: 0,
      errors: theirs,
    });
    await sql`alter table posts drop constraint poison`;
    await call(sql, 'retry_failed_migrations');
    await migrateAll(sql);
    expect(await validated(sql)).toMatchObject({ phase: 'after', errors: 0, healthy: true });
  });

  test('leave held users alone', async () => {
    await moved();
    const { sql } = db;
    const [user] = await sql<{ id: string }[]>`select id from users order by id limit 1`;
    await call(sql, 'rollback_user_migration', { user_id: user?.id });
    const before = await everything();
    const answer = await validated(sql, { fix_issues: true, detailed: true });
    expect(checkOf(answer, 'users_without_active_avatar')).toMatchObject({
      found: 1,
      left: 1,
      fixed: 0,
      keys: [user?.id],
    });
    expect(await everything()).toEqual(before);
  });

  test('that leave their check unsatisfied are an error, and rolled back', async () => {
    await moved();
    const { sql } = db;
    await sql`
      update follows set avatar_id = (select active_avatar_id from users u where u.id = follower_id)
      where id in (select id from follows order by id limit 2)`;
    const before = await everything();
    await sql.unsafe(`
      create or replace function avatars.fix_follows(keys uuid[]) returns void language sql as
        'update public.users set bio = ''half'' where id = any (keys)'`);
    const answer = await validated(sql, { fix_issues: true });
    expect(checkOf(answer, 'follows_with_wrong_avatar')).toMatchObject({
      found: 2,
      left: 2,
      fixed: 0,
      error: { code: 'IM026' },
    });
    expect(answer.fixes_failed).toBeGreaterThan(0);
    expect(await everything()).toEqual(before);
    const codes = await sql`select distinct sqlstate, kind from imago.failure`;
    expect([...codes]).toEqual([{ sqlstate: 'IM026', kind: 'failed' }]);
  });

  test('that cannot run are stopped and named; the others go on, and the plan is none the worse', async () => {
    await moved();
    const { sql } = db;
    await sql`
      update follows set avatar_id = (select active_avatar_id from users u where u.id = follower_id)
      where id = (select id from follows order by id limit 1)`;
    await sql`
      update posts set avatar_id = (select active_avatar_id from users u where u.id <> user_id limit 1)
      where id = (select id from posts order by id limit 1)`;
    await sql.unsafe(`
      create or replace function avatars.fix_posts(keys uuid[]) returns void language plpgsql as
        'begin update public.posts set no_such_column = null where user_id = any (keys); end'`);
    const answer = await validated(sql, { fix_issues: true });
    expect(checkOf(answer, 'posts_with_wrong_avatar')).toMatchObject({
      fixed: 0,
      left: 1,
      error: { code: 'IM030', message: expect.stringContaining('42703') },
    });
    expect(checkOf(answer, 'follows_with_wrong_avatar')).toMatchObject({ fixed: 1, left: 0, error: null });
    expect(answer).toMatchObject({ fixed: 1, errors: 1, healthy: false });
    expect(await value(sql, 'select state from imago.run order by id desc limit 1')).toBe('succeeded');
  });

  test('wait for a row that somebody holds, then set its user aside as blocked', async () => {
    await moved();
    const { sql } = db;
    await sql`update posts set avatar_id = null`;
    await sql`update imago.setting set value = '20' where name = 'lock_timeout_ms'`;
    const other = db.connect();
    await other`begin`;
    const [user] = await other<{ id: string }[]>`
      select id from users where id = (select user_id from posts order by id limit 1) for update`;
    const theirs = await value<number>(sql, 'select count(*)::int from posts where user_id = $1', [user?.id]);
    const answers = await validateAll(sql, { fix_issues: true });
    expect(
      answers.filter((answer) => answer.status === 'fixing' && answer.retry_after_ms === 200).length,
    ).toBe(3);
    expect(answers.at(-1)).toMatchObject({ fixes_failed: 1, errors: theirs });
    expect(await sql`select entity, kind from imago.failure`).toMatchObject([
      { entity: user?.id, kind: 'deferred' },
    ]);
    await other`rollback`;
    await migrateAll(sql);
    expect(await validated(sql)).toMatchObject({ errors: 0, healthy: true });
  });
});

describe('a check that does not fit', () => {
  /** The smallest plan with a check whose each row takes 5 ms. */
  async function slowPlan(rows: number, condition: string): Promise<void> {
    await start('none');
    const { sql } = db;
    await createTally(
      sql,
      'integer',
      Array.from({ length: rows }, (_, i) => i + 1),
    );
    await migrateAll(sql, { plan: 'tally' });
    await sql.unsafe(`
      create function public.costly(id integer) returns boolean language plpgsql volatile cost 100000 as $$
      begin perform pg_sleep(case when ${condition} then 0.005 else 0 end); return id % 10 = 0; end $$;
      insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, source, query)
      values ('tally', 1, 'costly', 'error', 'during', 'It is costly.', 'None.', 'public.items',
        'select i.id as key, i.id as entity from public.items i where public.costly(i.id)')`);
  }

  test('a call is cut smaller after a statement timeout and goes on', async () => {
    await slowPlan(400, 'true');
    const client = db.connect();
    await client`set statement_timeout = 700`;
    const answers = await validateAll(client, { plan: 'tally', max_ms: 60_000, detailed: true });
    expect(answers.length).toBeGreaterThan(2);
    const check = checkOf(answers.at(-1) ?? (await validated(client)), 'costly');
    expect(check).toMatchObject({ found: 40, error: null, partial: false });
    expect(check.keys).toEqual(Array.from({ length: 10 }, (_, i) => String(10 * (i + 1))));
    expect(check.slow_piece_ms).not.toBeUndefined();
  });

  test('a call with even one row is named, and the others are checked', async () => {
    await slowPlan(3, 'false');
    const { sql } = db;
    await sql.unsafe(`
      create or replace function public.costly(id integer) returns boolean language plpgsql volatile as
        'begin perform pg_sleep(3600); return false; end'`);
    const client = db.connect();
    await client`set statement_timeout = 1000`;
    const answer = await validated(client, { plan: 'tally', max_ms: 60_000 });
    expect(checkOf(answer, 'costly').error).toMatchObject({ code: 'IM028' });
    expect(checkOf(answer, 'undo_journal')).toMatchObject({ error: null, found: 0 });
    expect(answer.healthy).toBe(false);
  });

  test('a call, and cannot be cut, is named, too', async () => {
    await slowPlan(3, 'false');
    await db.sql.unsafe(`
      create function tally.look(plan imago.plan) returns jsonb language sql volatile as $$ select to_jsonb(pg_sleep(3600)) $$;
      insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, routine)
      values ('tally', 2, 'looking', 'warning', 'during', 'It looks.', 'None.', 'tally.look')`);
    const client = db.connect();
    await client`set statement_timeout = 600`;
    const answer = await validated(client, { plan: 'tally', max_ms: 60_000 });
    expect(checkOf(answer, 'looking').error).toMatchObject({ code: 'IM028' });
    expect(checkOf(answer, 'costly')).toMatchObject({ error: null, found: 0 });
  });

  test('a call, and is cancelled by a person, ends with 57014', async () => {
    await slowPlan(2000, 'true');
    const client = db.connect();
    const pid = await pidOf(client);
    const refused = refusal(validate(client, { plan: 'tally', max_ms: 60_000 }));
    await until('the check is at work', async () =>
      value<boolean>(
        db.sql,
        "select exists (select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep')",
        [pid],
      ),
    );
    await db.sql`select pg_cancel_backend(${pid})`;
    expect(await refused).toMatchObject({ code: '57014' });
  });

  test('its database, so that its query fails, is named with its SQLSTATE, and the others are checked', async () => {
    await moved();
    await db.sql`alter table follows rename column id to key`;
    await db.sql`alter table avatars rename column id to key`;
    const answer = await validated(db.sql);
    expect(checkOf(answer, 'wrong_active_avatar').error).toMatchObject({ code: 'IM029', sqlstate: '42703' });
    expect(checkOf(answer, 'posts_without_avatar')).toMatchObject({ error: null, found: 0 });
    expect(answer.healthy).toBe(false);
  });
});

describe('a validation over several calls', () => {
  test('is given up when the plan has gone on, when its age is past, and when it is asked to be new', async () => {
    await moved();
    const { sql } = db;
    const first = await validate(sql, { max_ms: 1 });
    await sql`update imago.validation set updated_at = now() - interval '61 minutes'`;
    const second = await validate(sql, { max_ms: 1 });
    expect(second.validation).not.toBe(first.validation);
    await rollbackAll(sql);
    const third = await validate(sql, { max_ms: 1 });
    expect(third).toMatchObject({ phase: 'before' });
    expect(third.validation).not.toBe(second.validation);
  });

  test('serves steps that depend on it: clean, or what fails', async () => {
    await moved();
    const { sql } = db;
    const asked = (ms: number, since: string | null = null) =>
      value<Record<string, unknown>>(
        sql,
        `select imago.run_error_checks(p, (imago.last_run('avatars')).id, clock_timestamp() + $1::int * interval '1 ms', $2)
         from imago.plan p where p.name = 'avatars'`,
        [ms, since],
      );
    const clean = async () => {
      for (;;) {
        const answer = await asked(10);
        if (!answer.has_more) return answer;
      }
    };
    expect(await clean()).toMatchObject({ healthy: true, failing: [] });
    await stopSync(sql);
    await sql`insert into users (username) values ('late')`;
    expect(await clean()).toMatchObject({
      healthy: false,
      failing: [{ name: 'users_without_active_avatar', found: 1, held: 0, partial: false, error: null }],
    });
    // What was counted before a moment does not count.
    await asked(0);
    const open = "select count(*)::int from imago.validation where state <> 'done'";
    expect(await value(sql, open)).toBe(1);
    const since = await value<string>(sql, 'select clock_timestamp()::text');
    await asked(60_000, since);
    expect(await value(sql, open)).toBe(0);
    // Warnings are for people to read.
    expect(
      await value(
        sql,
        "select count(*)::int from imago.validation v join imago.validation_check i on i.validation = v.id join imago.plan_check c on c.id = i.plan_check where v.run is not null and c.severity <> 'error'",
      ),
    ).toBe(0);
  });

  test('refuses arguments that make no sense, and callers without the right', async () => {
    await start();
    const { sql } = db;
    expect(await refusal(call(sql, 'validate_migration', { plan: 'nope' }))).toMatchObject({ code: 'IM001' });
    expect(await refusal(call(sql, 'validate_migration', { max_ms: 0 }))).toMatchObject({ code: 'IM015' });
    expect(await refusal(call(sql, 'validate_migration', { detailed: null }))).toMatchObject({
      code: 'IM004',
    });
    expect(await refusal(call(sql, 'get_run_history', { plan: 'nope' }))).toMatchObject({ code: 'IM001' });
    expect(await refusal(call(sql, 'get_run_history', { points: 0 }))).toMatchObject({ code: 'IM015' });
    for (const role of ['anon', 'authenticated']) {
      for (const name of ['validate_migration', 'get_run_history']) {
        const refused = refusal(
          sql.begin(async (tx) => {
            await tx.unsafe(`set local role ${role}`);
            await tx.unsafe(`select public.${name}()`);
          }),
        );
        expect(await refused).toMatchObject({ code: '42501' });
      }
    }
    await sql.begin(async (tx) => {
      await tx.unsafe('set local role service_role');
      expect(await tx`select public.validate_migration() ->> 'status' as status`).toMatchObject([
        { status: 'done' },
      ]);
    });
  });
});

describe('a run that was cancelled', () => {
  const phase = async () => (await validated(db.sql)).phase;

  test('before it moved anybody leaves the phase of the validation as it was', async () => {
    await start();
    const { sql } = db;
    await prepareAll(sql);
    await call(sql, 'migrate_batch', { max_ms: 1, batch_size: 1 });
    await call(sql, 'cancel_migration');
    expect(await phase()).toBe('during');
    await rollbackAll(sql);

    await sql`insert into imago.run (plan, direction) values ('avatars', 'forward')`;
    await call(sql, 'cancel_migration');
    expect(await phase()).toBe('before');
    await migrateAll(sql);
    await sql`insert into imago.run (plan, direction) values ('avatars', 'forward')`;
    await call(sql, 'cancel_migration');
    expect(await phase()).toBe('after');
  });
});

describe('get_run_history', () => {
  test('tells rate, size and failures over time, of fixes too', async () => {
    await start('sample', 60);
    const { sql } = db;
    await prepareAll(sql);
    const [poisoned] = await sql<{ id: string }[]>`select id from users order by id limit 1`;
    await sql.unsafe(
      `alter table users add constraint poison check (id <> '${poisoned?.id}' or active_avatar_id is null)`,
    );
    await migrateAll(sql, { batch_size: 10 });
    await sql`update posts set avatar_id = null where user_id <> ${poisoned?.id ?? ''}`;
    await sql`update imago.setting set value = '1' where name = 'sub_batch_ms'`;
    await validateAll(sql, { fix_issues: true, max_ms: 1 });
    await sql`update imago.setting set value = '800' where name = 'sub_batch_ms'`;
    await rollbackAll(sql);
    expect(
      await value(sql, 'select count(*)::int from imago.run where validation is not null'),
    ).toBeGreaterThan(1);

    const { runs } = runHistoryAnswer.parse(await call(sql, 'get_run_history', { points: 5 }));
    expect(runs.map(({ direction, state }) => [direction, state])).toEqual([
      ['forward', 'failed'],
      ['fix', 'failed'],
      ['rollback', 'succeeded'],
    ]);
    expect(runs[0]).toMatchObject({ moved: 59, failed: 1 });
    expect(runs[2]).toMatchObject({ moved: 59, failed: 0 });
    for (const { points, started_at, finished_at } of runs) {
      expect(points.length).toBeGreaterThan(0);
      expect(points.length).toBeLessThanOrEqual(5);
      expect(Date.parse(finished_at ?? '')).toBeGreaterThanOrEqual(Date.parse(started_at ?? ''));
      for (const point of points) {
        expect(Date.parse(point.at)).toBeGreaterThanOrEqual(Date.parse(started_at ?? ''));
      }
    }
    expect(runs[0]?.points.at(-1)).toMatchObject({ failures: 1 });
    // A fix is a run of its own; the figures are of the migration, and then of the way back.
    expect(await call(sql, 'get_migration_performance_stats')).toMatchObject({ run: Number(runs[2]?.run) });
  });

  test('does not count who is taken back alone as moved, long after the run or not', async () => {
    await start();
    const { sql } = db;
    await migrateAll(sql);
    const figures = async () => [
      runHistoryAnswer.parse(await call(sql, 'get_run_history', { points: 5 })).runs,
      await call(sql, 'get_migration_performance_stats'),
    ];
    const before = await figures();
    const user = await value<string>(sql, 'select id from users order by id limit 1');
    expect(await call(sql, 'rollback_user_migration', { user_id: user })).toMatchObject({
      rolled_back: true,
    });
    expect(await figures()).toEqual(before);
  });

  test('spreads each batch over the time that it took, also where those of several workers overlap', async () => {
    await start();
    const { sql } = db;
    await migrateAll(sql);
    const run = await value<string>(sql, 'select max(id) from imago.run');
    await sql`delete from imago.batch where run = ${run}`;
    // Ten seconds: two workers with a thousand users each, one of them a moment later, then nobody, then one more.
    await sql`update imago.run set started_at = '2026-01-01 00:00:00Z' where id = ${run}`;
    await sql`
      insert into imago.batch (run, plan, direction, path, journaled, size, moved, ms, created_at)
      select ${run}, 'avatars', 'forward', 'main', true, size, size, ms, '2026-01-01 00:00:00Z'::timestamptz + at * interval '1 ms'
      from (values (1000, 4000, 0), (1000, 4000, 1), (100, 1000, 9000), (1, 1000, 9000)) b(size, ms, at)`;
    const { runs } = runHistoryAnswer.parse(await call(sql, 'get_run_history', { points: 5 }));
    const since = Date.parse('2026-01-01T00:00:00Z');
    expect(
      runs[0]?.points.map((point) => [Date.parse(point.at) - since, point.per_minute, point.batch_size]),
    ).toEqual([
      [2_500, 29_994, 1000],
      [5_000, 18_006, 1000],
      [7_500, 0, null],
      [10_000, 2_424, 100],
    ]);
  });

  test('leaves the figures of the migration alone when something is fixed', async () => {
    await moved();
    const { sql } = db;
    const before = await call(sql, 'get_migration_performance_stats');
    expect(before).toMatchObject({ direction: 'forward', state: 'succeeded' });
    await sql`update posts set avatar_id = null`;
    await validated(sql, { fix_issues: true });
    expect(await value(sql, 'select max(id)::int from imago.run')).toBeGreaterThan(before.run);
    const after = await call(sql, 'get_migration_performance_stats');
    expect([after.run, after.batches, after.rows]).toEqual([before.run, before.batches, before.rows]);
  });
});
