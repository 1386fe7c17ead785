import { describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import type { TestDatabase } from '../support/database.ts';
import {
  database,
  finalize,
  finalizeAll,
  itemsPlan,
  migrated,
  phase,
  standing,
  triggersOn,
} from '../support/finalize.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { PLAN } from '../support/plan.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';

const AVATAR_STEPS = [
  'checks',
  'foreign key of users.active_avatar_id',
  'foreign key of posts.avatar_id',
  'foreign key of follows.avatar_id',
  'checks once more',
  'triggers of Imago',
];

describe('finalize of the plan avatars', () => {
  test('goes in named steps, one a call, and closes the way back', async () => {
    const db = await migrated();
    const before = await checksums(db.sql, { users: [], posts: [], follows: [], avatars: [] });
    const preview = await finalize(db, { dry_run: true });
    expect(preview).toMatchObject({
      state: 'not started',
      step: 'checks',
      step_number: 1,
      obstacles: [],
      closed: false,
    });
    expect(preview.list.map((step: { name: string }) => step.name)).toEqual(AVATAR_STEPS);
    expect(preview.list.map((step: { closes: boolean }) => step.closes)).toEqual([
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
    expect(await phase(db)).toBe('validate');

    expect(await finalize(db)).toEqual({
      plan: 'avatars',
      state: 'finalizing',
      step: 'checks',
      step_number: 1,
      steps: 6,
      closed: false,
      has_more: true,
      retry_after_ms: 0,
      warnings: [],
    });
    expect(await phase(db)).toBe('finalize');
    expect((await call(db.sql, 'get_detailed_migration_progress')).finalize).toEqual({
      state: 'finalizing',
      step: AVATAR_STEPS[1],
      step_number: 2,
      steps: 6,
      closed: false,
    });
    expect(await triggersOn(db.sql, 'posts')).toBeGreaterThan(0);

    const answers = await finalizeAll(db.sql);
    expect(answers.map(({ step }) => step)).toEqual(AVATAR_STEPS.slice(1));
    expect(answers.map(({ state }) => state)).toEqual([...Array(4).fill('finalizing'), 'finalized']);
    expect(answers.map(({ closed }) => closed)).toEqual([false, false, false, false, true]);
    expect(await phase(db)).toBe('finalized');
    const unproved = await db.sql`select conname from pg_constraint where not convalidated`;
    expect([...unproved]).toEqual([]);
    for (const table of ['users', 'posts', 'follows', 'avatars'])
      expect(await triggersOn(db.sql, table)).toBe(0);
    expect(await checksums(db.sql, { users: [], posts: [], follows: [], avatars: [] })).toEqual(before);
    const log = await db.sql`
      select detail ->> 'step' as step, detail -> 'closed' as closed from public.migration_log where event = 'finalize' order by created_at`;
    expect(log.map(({ step }) => step)).toEqual(AVATAR_STEPS);
    expect(log.at(-1)?.closed).toBe(true);
    // Once more does nothing.
    expect(await finalize(db)).toMatchObject({ state: 'finalized', has_more: false, step: null });
  });

  test('done, refuses every way back and forth with IM039; migrate_batch has nothing to do', async () => {
    const db = await migrated();
    await finalizeAll(db.sql);
    const [user] = await db.sql<{ id: string }[]>`select id from users limit 1`;
    await db.sql`insert into users (username) values ('later')`;
    const back: [string, Record<string, unknown>][] = [
      ['rollback_batch', {}],
      ['rollback_batch', { force: true }],
      ['rollback_all_migrations', {}],
      ['rollback_user_migration', { user_id: user?.id }],
    ];
    for (const [name, args] of back) {
      const error = await refusal(call(db.sql, name, args));
      expect([name, error.code, error.message]).toEqual([
        name,
        'IM039',
        'plan avatars is finalized and cannot be rolled back any more',
      ]);
      expect(error.hint).toMatch(/^Finalize closed the way back at \d{4}-\d\d-\d\d \d\d:\d\d \(UTC\)/);
    }
    const forth: [string, Record<string, unknown>][] = [
      ['migrate_user_to_avatar_centric', { user_id: user?.id }],
      ['migrate_users_batch', {}],
      ['dry_run_migration', {}],
      ['validate_migration', { fix_issues: true }],
      ['retry_failed_migrations', {}],
    ];
    for (const [name, args] of forth) {
      const error = await refusal(call(db.sql, name, args));
      expect([name, error.code]).toEqual([name, 'IM039']);
    }
    expect(await call(db.sql, 'migrate_batch')).toMatchObject({
      status: 'done',
      has_more: false,
      processed: 0,
      migrated: 0,
    });
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      pending_users: 0,
      phase: 'finalized',
    });
    expect(await call(db.sql, 'get_migration_statistics')).toMatchObject({ users_needing_migration: 0 });
    expect(await value(db.sql, 'select count(*) from imago.run')).toBe('1');
  });

  test('is left by a rollback before the way back is closed, and begins again later', async () => {
    const db = await database(30);
    const before = await checksums(db.sql);
    await migrateAll(db.sql);
    for (let calls = 0; calls < 3; calls++) await finalize(db);
    expect(await standing(db, 'avatars')).toEqual({ begun: true, closed: false, finalized: false });
    const last = (await rollbackAll(db.sql)).at(-1);
    expect(last).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0 });
    expect(await checksums(db.sql)).toEqual(before);
    expect(await phase(db)).toBe('rolled back');
    expect((await refusal(finalize(db))).message).toBe(
      'plan avatars cannot be finalized: it was rolled back',
    );

    await migrateAll(db.sql);
    expect(await phase(db)).toBe('validate');
    expect((await finalizeAll(db.sql)).map(({ step }) => step)).toEqual(AVATAR_STEPS);
  });
});

describe('finalize refuses by name, and does nothing, with', () => {
  const refused = async (db: TestDatabase, plan = 'avatars') => {
    const triggers = await triggersOn(db.sql, plan === PLAN ? 'items' : 'users');
    const preview = await finalize(db, { plan, dry_run: true });
    const error = await refusal(finalize(db, { plan }));
    expect(error.code).toBe('IM038');
    expect(error.hint).toMatch(/^Nothing was done\. ./);
    expect(await standing(db, plan)).toEqual({ begun: false, closed: false, finalized: false });
    expect(await triggersOn(db.sql, plan === PLAN ? 'items' : 'users')).toBe(triggers);
    const [, reasons = ''] = error.message.split(`plan ${plan} cannot be finalized: `);
    return { reasons, hint: error.hint ?? '', obstacles: preview.obstacles as { reason: string }[] };
  };

  test('a plan that never ran', async () => {
    const db = await database(3);
    const { reasons, hint, obstacles } = await refused(db);
    expect(reasons).toBe('nothing has been migrated');
    expect(hint).toContain('migrate_batch');
    expect(obstacles).toHaveLength(1);
  });

  test('pending entities, with their number and up to three keys', async () => {
    const db = await database();
    await itemsPlan(db.sql);
    await db.sql`insert into items values (101, 'a'), (102, 'b'), (103, 'c'), (104, 'd')`;
    const { reasons, obstacles } = await refused(db, PLAN);
    expect(reasons).toBe('4 items pending (101, 102, 103, …)');
    expect(obstacles.map(({ reason }) => reason)).toEqual([reasons]);
    await migrateAll(db.sql, { plan: PLAN });
    expect(await finalize(db, { plan: PLAN })).toMatchObject({ state: 'finalizing' });
  });

  test('an unfinished run', async () => {
    const db = await migrated();
    await call(db.sql, 'migrate_batch', { batch_size: 1 });
    await db.sql`insert into imago.run (plan, direction, state) values ('avatars', 'forward', 'paused')`;
    expect((await refused(db)).reasons).toMatch(/^run \d+ \(forward\) is paused$/);
  });

  test('entities that failed', async () => {
    const db = await database(20);
    await db.sql.unsafe(`
      create function public.refuse() returns trigger language plpgsql as $$ begin raise check_violation; end $$;
      create trigger refuse before update on public.users for each row when (old.username like '%7%') execute function public.refuse()`);
    const bad = await db.sql<{ id: string }[]>`select id from users where username like '%7%' order by id`;
    await migrateAll(db.sql);
    const { reasons, hint } = await refused(db);
    expect(reasons).toContain(`${bad.length} users set aside (${bad[0]?.id}`);
    expect(hint).toContain('retry_failed_migrations');
  });

  test('a user who is held', async () => {
    const db = await migrated();
    const [user] = await db.sql<{ id: string }[]>`select id from users limit 1`;
    await call(db.sql, 'rollback_user_migration', { user_id: user?.id });
    expect((await refused(db)).reasons).toBe(`1 user held (${user?.id})`);
    await call(db.sql, 'migrate_user_to_avatar_centric', { user_id: user?.id });
    // It has opened a run.
    expect((await refused(db)).hint).toContain('migrate_batch until has_more is false');
    await migrateAll(db.sql);
    expect(await finalize(db)).toMatchObject({ state: 'finalizing' });
  });

  test('users in conflict after a rollback', async () => {
    const db = await migrated();
    await db.sql`update avatars set name = 'Edited' where id = (select active_avatar_id from users order by id limit 1)`;
    await rollbackAll(db.sql);
    const { reasons, hint } = await refused(db);
    expect(reasons).toMatch(/1 user in conflict \(/);
    expect(hint).toContain('or migrate again');
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await finalize(db)).toMatchObject({ state: 'finalizing' });
  });

  test('users that a rollback could not take back', async () => {
    const db = await migrated();
    await db.sql.unsafe(`
      create function public.refuse() returns trigger language plpgsql as $$ begin raise check_violation; end $$;
      create trigger refuse before update on public.users for each row when (new.active_avatar_id is null) execute function public.refuse()`);
    expect((await rollbackAll(db.sql)).at(-1)).toMatchObject({ state: 'failed' });
    expect((await refused(db)).reasons).toMatch(/users set aside \(/);
    await db.sql`drop trigger refuse on public.users`;
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ state: 'succeeded', failed: 0, conflicts: 0 });
    expect(await finalize(db)).toMatchObject({ state: 'finalizing' });
  });

  test('a check that fails, with what it finds', async () => {
    const db = await migrated();
    await db.sql`
      update posts p set avatar_id = (select active_avatar_id from users u where u.id <> p.user_id limit 1)
      where id = (select id from posts order by id limit 1)`;
    const { reasons, hint } = await refused(db);
    expect(reasons).toMatch(/^check posts_with_wrong_avatar finds 1 \([0-9a-f-]{36}\)$/);
    expect(hint).toContain('validate_migration');
  });

  test('a check that cannot be evaluated', async () => {
    const db = await database();
    await itemsPlan(db.sql);
    await db.sql`
      insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, source, query)
      values (${PLAN}, 1, 'broken', 'error', 'during', 'm', 'r', 'public.items', 'select id as key, id as entity from public.gone')`;
    expect((await refused(db, PLAN)).reasons).toBe('check broken cannot be evaluated: IM029');
  });

  test('a run, a held and a pending user at once: all are named', async () => {
    const db = await migrated();
    const [user] = await db.sql<{ id: string }[]>`select id from users limit 1`;
    await call(db.sql, 'rollback_user_migration', { user_id: user?.id });
    await db.sql`insert into imago.run (plan, direction, state) values ('avatars', 'forward', 'running')`;
    await db.sql`update users set active_avatar_id = null where id = (select max(id::text)::uuid from users)`;
    expect((await refused(db)).reasons).toMatch(
      /^run \d+ \(forward\) is running; 1 user held \(.+\); 1 user pending \(.+\)$/,
    );
  });
});

describe('the checks of finalize', () => {
  test('let pass what a validation has counted and was fixed since', async () => {
    const db = await migrated(200);
    await db.sql`update users set active_avatar_id = null where id = (select id from users order by id limit 1)`;
    // Half-way through a validation that has found it already.
    const begun = await call(db.sql, 'validate_migration', { max_ms: 1 });
    expect(begun.has_more).toBe(true);
    await until(
      'it is found',
      async () => (await call(db.sql, 'validate_migration', { max_ms: 1 })).errors > 0,
    );
    await migrateAll(db.sql);
    expect(await value(db.sql, "select count(*) from imago.validation where state <> 'done'")).toBe('1');
    expect(await finalize(db)).toMatchObject({ state: 'finalizing', step: 'checks' });
  });

  test('are gone through once more before the step that closes the way back', async () => {
    const db = await database();
    await itemsPlan(db.sql, [{ name: 'nothing yet', body: 'null;', reversible: true }]);
    await db.sql`
      insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, source, query)
      values (${PLAN}, 1, 'equal', 'error', 'during', 'm', 'r', 'public.items',
              'select id as key, id as entity from public.items where old is distinct from fresh')`;
    expect((await finalize(db, { plan: PLAN })).step).toBe('checks');
    expect((await finalize(db, { plan: PLAN })).step).toBe('nothing yet');
    await db.sql`update items set fresh = 'other' where id = 7`;
    const error = await refusal(finalize(db, { plan: PLAN }));
    expect([error.code, error.message]).toEqual([
      'IM038',
      'plan trial cannot be finalized: check equal finds 1 (7)',
    ]);
    expect(await standing(db, PLAN)).toEqual({ begun: true, closed: false, finalized: false });
    await db.sql`update items set fresh = old where id = 7`;
    expect((await finalizeAll(db.sql, { plan: PLAN })).map(({ step }) => step)).toEqual([
      'checks once more',
      'triggers of Imago',
    ]);
  });

  test('that do not fit one call take as many as they need', async () => {
    const db = await database();
    await itemsPlan(db.sql);
    await db.sql`
      insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, source, query)
      select ${PLAN}, i, 'slow_' || i, 'error', 'during', 'm', 'r', 'public.items',
             'select id as key, id as entity from public.items where pg_sleep(0.05) is null'
      from generate_series(1, 3) i`;
    const caller = db.connect();
    await caller`set statement_timeout = '1500ms'`;
    const states: string[] = [];
    const stages = new Set<number | null>();
    do {
      states.push((await call(caller, 'finalize_migration', { plan: PLAN })).state);
      stages.add(await value(db.sql, `select checking_stage from imago.plan where name = '${PLAN}'`));
    } while (states.at(-1) === 'checking' && states.length < 50);
    expect(states.length).toBeGreaterThan(3);
    expect(states.at(-1)).toBe('finalizing');
    // What is pending is looked for once: the stage past the only one says that it is through.
    expect([...stages]).toEqual([2, null]);
  });

  test('half-way through, a preview looks again for what is pending', async () => {
    const db = await database();
    await itemsPlan(db.sql);
    await db.sql`
      update imago.plan set checking_at = clock_timestamp(), checking_since = clock_timestamp(), checking_stage = 2
      where name = ${PLAN}`;
    await db.sql`update items set fresh = null where id = 7`;
    expect((await finalize(db, { plan: PLAN, dry_run: true })).obstacles).toMatchObject([
      { kind: 'pending' },
    ]);
  });
});

/** Finalizes up to the step that closes the way back. */
async function untilClosing(db: TestDatabase): Promise<void> {
  while ((await finalize(db)).step !== 'checks once more');
}

describe('a rollback and finalize at the same time', () => {
  test('while a rollback is being opened, finalize waits, and is then refused', async () => {
    const db = await migrated();
    await untilClosing(db);
    const other = db.connect();
    await other`begin`;
    await call(other, 'rollback_batch', { max_ms: 1 });
    expect(await finalize(db)).toMatchObject({ state: 'busy', closed: false });
    await other`commit`;
    expect((await refusal(finalize(db))).message).toMatch(/run \d+ \(rollback\) is running|was rolled back/);
  });

  test('while finalize closes the way back, a rollback waits, and is then refused', async () => {
    const db = await migrated();
    await untilClosing(db);
    const other = db.connect();
    await other`begin`;
    expect(await call(other, 'finalize_migration')).toMatchObject({ state: 'finalized' });
    const caller = db.connect();
    const pid = await pidOf(caller);
    const refused = refusal(call(caller, 'rollback_batch'));
    await untilBlocked(db.sql, pid);
    await other`commit`;
    expect((await refused).code).toBe('IM039');
  });

  test('finalize and the rollback of one user wait for each other, and the second is refused', async () => {
    const db = await migrated();
    await untilClosing(db);
    const [user] = await db.sql<{ id: string }[]>`select id from users limit 1`;
    const other = db.connect();
    await other`begin`;
    expect(await call(other, 'rollback_user_migration', { user_id: user?.id })).toMatchObject({
      rolled_back: true,
    });
    expect(await finalize(db)).toMatchObject({ state: 'busy', closed: false });
    await other`commit`;
    expect((await refusal(finalize(db))).message).toContain('1 user held');

    await call(db.sql, 'migrate_user_to_avatar_centric', { user_id: user?.id });
    await migrateAll(db.sql);
    await untilClosing(db);
    await other`begin`;
    expect(await call(other, 'finalize_migration')).toMatchObject({ state: 'finalized' });
    const caller = db.connect();
    const pid = await pidOf(caller);
    const refused = refusal(call(caller, 'rollback_user_migration', { user_id: user?.id }));
    await untilBlocked(db.sql, pid);
    await other`commit`;
    expect((await refused).code).toBe('IM039');
  });
});

test('finalize_migration: anon and authenticated get 42501, null arguments IM004', async () => {
  const db = await migrated(3);
  for (const role of ['anon', 'authenticated'] as const) {
    const caller = db.connect({ role });
    expect((await refusal(call(caller, 'finalize_migration'))).code).toBe('42501');
    expect((await refusal(call(caller, 'cleanup_migration'))).code).toBe('42501');
  }
  expect((await call(db.connect({ role: 'service_role' }), 'finalize_migration')).state).toBe('finalizing');
  for (const argument of ['allow_data_loss', 'dry_run']) {
    const error = await refusal(finalize(db, { [argument]: null }));
    expect([error.code, error.message]).toEqual(['IM004', `${argument} must not be null`]);
  }
  expect((await refusal(finalize(db, { plan: 'nope' }))).code).toBe('IM001');
});
