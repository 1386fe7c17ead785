/** The story of examples/profiles: users who signed up before there was a trigger get their profile, while others sign up. */
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';
import { readBehaviour } from '../../scripts/plan/behaviour.ts';
import { planWork, write } from '../../scripts/plan/build.ts';
import { checkPlan } from '../../scripts/plan/check.ts';
import { readPlan, readProject, wholeText } from '../../scripts/plan/project.ts';
import { runAll } from '../../scripts/plan/schema.ts';
import { call, value } from '../support/call.ts';
import { freshDatabase } from '../support/database.ts';
import { cleanUpAll, finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, projectFolder, push, put } from '../support/project.ts';

const plan = 'profiles';
const handler = 'supabase/migrations/20250301120000_handle_new_user.sql';

test('who signed up before the trigger gets a profile, and loses it in a rollback unless it is their own by then', async () => {
  const { [handler]: trigger = '', ...files } = await contents(path.join(packageFolder, 'examples/profiles'));
  const folder = await projectFolder({ 'supabase/migrations/20250101000000_things.sql': '', ...files });
  const db = await freshDatabase({ migrated: false });
  onTestFinished(db.drop);
  const { sql } = db;
  const auth = await db.connect({ role: 'supabase_admin' }).reserve();
  await auth.unsafe('set role supabase_auth_admin');
  const signUp = async (first: number, last = first) =>
    await auth.unsafe(`
      insert into auth.users (id, email, raw_user_meta_data)
      select md5(i::text)::uuid, i || '@example.com', jsonb_build_object('full_name', 'User ' || i) from generate_series(${first}, ${last}) i`);
  const profiles = async () => await value<number>(sql, 'select count(*)::int from public.profiles');
  const nameless = `select count(*)::int from auth.users u left join public.profiles p using (id)
    where p.full_name is distinct from u.raw_user_meta_data ->> 'full_name' and p.username is null`;
  const ours = `select count(*)::int from pg_trigger where tgrelid = 'auth.users'::regclass and tgname like '%imago%'`;

  // Forty users, and five of them have made their profile themselves; then comes the trigger, and with it the plan.
  expect(await push(folder, db.url)).toMatchObject({ code: 0 });
  await signUp(1, 40);
  await sql`insert into public.profiles (id, username) select id, 'own ' || email from auth.users order by id limit 5`;
  await put(folder, handler, trigger);
  const scratch = { database: () => freshDatabase({ migrated: false }) };
  const project = readProject(folder);
  await write(project, await planWork(project, [readPlan(project, plan)], async () => scratch));
  expect(await push(folder, db.url)).toMatchObject({ code: 0 });
  await signUp(41);
  expect(await profiles()).toBe(6);

  expect(await call(sql, 'dry_run_migration', { plan })).toMatchObject({
    migrated: 35,
    failed: 0,
    problems: [],
  });
  while ((await call(sql, 'prepare_migration', { plan })).has_more);
  await call(sql, 'migrate_batch', { plan, batch_size: 10, max_ms: 1 });
  await signUp(42);
  // An app that leaves the next one out.
  await sql.unsafe('drop trigger on_auth_user_created on auth.users');
  await signUp(43);
  expect((await migrateAll(sql, { plan, batch_size: 10 })).at(-1)).toMatchObject({
    status: 'done',
    failures_left: 0,
  });
  expect(await value(sql, nameless)).toBe(0);
  expect(await call(sql, 'get_migration_statistics', { plan })).toMatchObject({
    total_users: 36,
    users_needing_migration: 0,
  });
  expect(await call(sql, 'validate_migration', { plan })).toMatchObject({ errors: 0 });

  await sql`update public.profiles set website = 'https://example.com' where full_name = (select max(full_name) from public.profiles where id in (select entity from profiles.given))`;
  expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ conflicts: 1, state: 'failed' });
  expect(await profiles()).toBe(8);
  expect((await rollbackAll(sql, { plan, force: true })).at(-1)).toMatchObject({
    conflicts: 0,
    state: 'succeeded',
  });
  expect(await profiles()).toBe(7);
  expect(await value(sql, ours)).toBe(0);

  await migrateAll(sql, { plan });
  await sql`delete from auth.users where id = md5('1')::uuid`;
  expect((await finalizeAll(sql, { plan })).at(-1)).toMatchObject({ state: 'finalized' });
  await cleanUpAll(sql, { plan, older_than: '0' });
  expect(await value(sql, ours)).toBe(0);
  expect(await value(sql, nameless)).toBe(0);
  expect(await profiles()).toBe(42);
  expect(await value(sql, `select to_regclass('profiles.given') is null`)).toBe(true);
});

test('plan check finds nothing wrong with it', async () => {
  const project = readProject(path.join(packageFolder, 'examples/profiles'));
  const { makeRows } = readBehaviour(project, plan);
  const db = await freshDatabase();
  onTestFinished(db.drop);
  const findings = await checkPlan(db.sql, {
    plan,
    migration: wholeText(readPlan(project, plan).sources),
    makeApp: async (sql, entities) => {
      await runAll(sql, project.migrations);
      await makeRows(sql, entities);
    },
  });
  expect(findings).toEqual([]);
});
