/** `imago doctor`: nothing where all is as it should be, and each thing that is not, once, with what fixes it. */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { adviceFor } from '../../scripts/doctor/advice.ts';
import { diagnose, type Finding, codes as findingCodes } from '../../scripts/doctor/diagnose.ts';
import { expectation } from '../../scripts/doctor/expected.ts';
import { installationAnswer } from '../../scripts/doctor/installation.ts';
import { readParts } from '../../scripts/install/parts.ts';
import { prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { freshProject, runCommand } from '../support/command.ts';
import { installCron } from '../support/cron.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';

/** What doctor finds in a database. */
async function findings(sql: Sql): Promise<Finding[]> {
  return diagnose(installationAnswer.parse(await call(sql, 'inspect_installation')), readParts());
}

const doctor = async (args: string[], environment: Record<string, string>) =>
  await runCommand(['doctor', ...args], environment, { script: 'scripts/imago.ts' });

describe('the doctor on a sound installation', () => {
  test('finds nothing, just installed, prepared, migrated and rolled back', async () => {
    const db = await freshDatabase({ app: 'sample', users: 20 });
    try {
      expect(await findings(db.sql)).toEqual([]);
      await prepareAll(db.sql);
      expect(await findings(db.sql)).toEqual([]);
      await migrateAll(db.sql);
      expect(await findings(db.sql)).toEqual([]);
      await rollbackAll(db.sql);
      expect(await findings(db.sql)).toEqual([]);
    } finally {
      await db.drop();
    }
  });

  test('expects each function, table and view of Imago, and no other', async () => {
    const db = await freshDatabase();
    try {
      const { functions, relations } = expectation(readParts());
      const present = await db.sql<{ name: string }[]>`
        select n.nspname || '.' || p.proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where p.oid = any ((select imago.public_functions())::oid[]) or n.nspname = any ((select imago.own_schemas())::name[])`;
      // Made by the engine for plans that have none of their own.
      const own = present.map(({ name }) => name).filter((name) => !/\.(preflight|statistics)$/.test(name));
      expect([...functions.keys()].filter((name) => !/\.(preflight|statistics)$/.test(name)).sort()).toEqual(
        own.sort(),
      );
      expect([...functions.values()].filter(({ comment }) => comment === undefined)).toEqual([]);
      const tables = await db.sql<{ name: string }[]>`
        select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'v') and (n.nspname = any ((select imago.own_schemas())::name[]) or c.relname = 'migration_log')`;
      expect([...relations.keys()].sort()).toEqual(tables.map(({ name }) => name).sort());
    } finally {
      await db.drop();
    }
  });
});

const isForSuperuser = (statement: string) => statement.includes('supabase_admin');

describe('the doctor on an unsound installation', () => {
  let db: TestDatabase;
  // What is found before there is an installation to look at has tests of its own, here and in tls.test.ts.
  const seen = new Set<string>([
    ...['not_installed', 'not_callable'],
    ...['database_unverified', 'database_unreachable'],
  ]);

  beforeAll(async () => {
    db = await freshDatabase({ app: 'sample', users: 20 });
    await installCron(db);
    await migrateAll(db.sql);
  });
  afterAll(async () => {
    await db.drop();
    expect([...seen].sort()).toEqual([...findingCodes].sort());
  });

  const cases: [what: string, statement: string, code: Finding['code'], severity: string, object: string][] =
    [
      [
        'an engine of a later version',
        "update imago.setting set value = '2' where name = 'engine_version'",
        'engine_newer',
        'error',
        'imago',
      ],
      [
        'an engine of an earlier version',
        "update imago.setting set value = '0' where name = 'engine_version'",
        'engine_older',
        'error',
        'imago',
      ],
      [
        'a function dropped',
        'drop function imago.percentage',
        'function_missing',
        'error',
        'imago.percentage',
      ],
      [
        'a function of the engine replaced',
        "create or replace function imago.job_name(plan_name text, direct boolean default false) returns text language sql immutable set search_path = '' as 'select plan_name'",
        'function_changed',
        'error',
        'imago.job_name(text, boolean)',
      ],
      [
        "a plan's function replaced",
        "create or replace function resume_skills.default_skills() returns json language sql immutable set search_path = '' as $$ select '[]'::json $$",
        'function_changed',
        'warning',
        'resume_skills.default_skills()',
      ],
      [
        'a function without its search_path',
        'alter function public.migrate_batch reset all',
        'function_changed',
        'error',
        'public.migrate_batch(text, integer, integer, boolean, boolean, text, text, bigint, jsonb)',
      ],
      [
        'a function that runs as its caller',
        'alter function public.get_migration_statistics security invoker',
        'function_changed',
        'error',
        'public.get_migration_statistics(text)',
      ],
      [
        'a function of nobody',
        "create function imago.extra(n integer) returns integer language sql as 'select 1'; revoke all on function imago.extra from public",
        'function_unknown',
        'warning',
        'imago.extra(integer)',
      ],
      [
        'a second function of a name',
        "create function public.pause_migration(n integer) returns integer language sql as 'select 1'",
        'function_overloaded',
        'error',
        'public.pause_migration(integer)',
      ],
      [
        'a function open to visitors',
        'grant execute on function public.rollback_batch to anon',
        'function_open',
        'error',
        'public.rollback_batch(',
      ],
      [
        'a function that service_role may not call',
        'revoke execute on function public.validate_migration from service_role',
        'function_closed',
        'error',
        'public.validate_migration(text, boolean, boolean, integer, boolean)',
      ],
      [
        'a function that triggers of the app may not call',
        'revoke execute on function imago.in_batch from public',
        'function_closed',
        'error',
        'imago.in_batch()',
      ],
      ['a table dropped', 'drop table imago.transition', 'relation_missing', 'error', 'imago.transition'],
      ['a table open to all', 'grant select on imago.log to public', 'relation_open', 'error', 'imago.log'],
      [
        'the log closed',
        'revoke select on public.migration_log from service_role',
        'relation_closed',
        'error',
        'public.migration_log',
      ],
      [
        'a schema open',
        'grant usage on schema imago_undo to authenticated',
        'schema_open',
        'error',
        'imago_undo',
      ],
      [
        'a comment taken away',
        'comment on function imago.percentage is null',
        'comment_changed',
        'warning',
        'imago.percentage(',
      ],
      [
        'a function of another owner',
        'alter function imago.percentage owner to supabase_admin',
        'owner_differs',
        'error',
        'imago.percentage(',
      ],
      [
        'a trigger dropped',
        'drop trigger "~imago_avatars_update" on public.users',
        'trigger_missing',
        'error',
        'trigger "~imago_avatars_update" on public.users',
      ],
      [
        'a trigger disabled',
        'alter table public.posts disable trigger "!imago_avatars_guard"',
        'trigger_disabled',
        'error',
        'trigger "!imago_avatars_guard" on public.posts',
      ],
      [
        'a trigger of no plan',
        'create trigger "~imago_avatars_update" after update on public.likes for each statement execute function imago_undo.avatars_public_users_update()',
        'trigger_orphaned',
        'warning',
        'trigger "~imago_avatars_update" on public.likes',
      ],
      [
        'an undo table dropped',
        'drop table imago_undo.avatars_public_follows',
        'undo_missing',
        'error',
        'imago_undo.avatars_public_follows',
      ],
      [
        'an undo table of no plan',
        'create table imago_undo.old_public_users (batch bigint)',
        'undo_orphaned',
        'warning',
        'imago_undo.old_public_users',
      ],
      [
        'a job of no plan',
        "select cron.schedule('imago gone', '5 seconds', 'select 1')",
        'job_orphaned',
        'warning',
        'imago gone',
      ],
      [
        'a way of telling people that does not work',
        "update imago.setting set value = 'net' where name = 'notify'",
        'way_missing',
        'warning',
        'net',
      ],
      [
        'messages that never arrived',
        "insert into imago.notice (event, way, given_up_at) values ('held', 'net', now())",
        'notices_given_up',
        'warning',
        '',
      ],
      [
        'an owner that may not see what others do',
        'set local role supabase_admin; revoke pg_monitor from postgres; reset role',
        'signals_unreadable',
        'warning',
        'postgres',
      ],
    ];

  /** What touches the same as another case, hides the others, or needs a superuser. */
  const alone = cases.filter(
    ([, statement]) => /engine_version|imago\.percentage/.test(statement) || isForSuperuser(statement),
  );
  const together = cases.filter((one) => !alone.includes(one));

  test.each([
    ...alone.map((one) => [one[0], [one]] as const),
    ['all else, each by itself', together] as const,
  ])('finds %s, and nothing besides, and what it says to do fixes it', async (_, made) => {
    const sql = made.some(([, statement]) => isForSuperuser(statement))
      ? db.connect({ role: 'supabase_admin' })
      : db.sql;
    const undone = new Error('taken back');
    const attempt = sql.begin(async (tx) => {
      const looked = async () => await findings(tx as unknown as Sql);
      for (const [, statement] of made) await tx.unsafe(statement);
      const found = await looked();
      expect(found.map(({ code }) => code).sort()).toEqual(made.map(([, , code]) => code).sort());
      const fixed: Finding[] = [];
      for (const [what, , code, severity, object] of made) {
        seen.add(code);
        const finding = found.find((one) => one.code === code && one.object.includes(object));
        expect([what, finding]).toMatchObject([what, { severity, message: expect.stringMatching(/.{11}/) }]);
        const remedy = /(?:^|: )((?:revoke|grant|alter|drop|select) [^;]*;)$/.exec(
          finding?.remedy ?? '',
        )?.[1];
        if (!finding || !remedy) continue;
        // What is said to do is done by the role that people have.
        await tx`set local role postgres`;
        await tx.unsafe(remedy);
        fixed.push(finding);
        if (code === 'owner_differs') {
          await tx.unsafe(await readFile('sql/engine/functions/call/percentage.sql', 'utf8'));
          // What is made again is open to all at first, and said to be.
          const [next] = await looked();
          expect(next).toMatchObject({ code: 'function_open' });
          await tx.unsafe(next?.remedy ?? '');
        }
      }
      if (fixed.length > 0) expect(await looked()).toEqual(found.filter((one) => !fixed.includes(one)));
      throw undone;
    });
    await expect(attempt).rejects.toBe(undone);
  });

  test('finds nothing once everything was fixed', async () => {
    expect(await findings(db.sql)).toEqual([]);
  });
});

describe('the advice of the doctor', () => {
  const governor = {
    reader: 'postgres',
    reads_all: true,
    is_supabase: true,
    max_connections: 90,
    wal_mb_per_s: null,
  };

  test('is a wal_mb_per_s that depends on the connections, and that postgres may set', async () => {
    const db = await freshDatabase();
    onTestFinished(() => db.drop());
    for (const [max_connections, limit] of [
      [60, '4'],
      [90, '17.6'],
      [120, '34.4'],
      [160, '63.2'],
      [240, '119.2'],
    ] as const) {
      const [advice, ...others] = adviceFor({ governor: { ...governor, max_connections } });
      expect([max_connections, others]).toEqual([max_connections, []]);
      await db.sql.unsafe(advice?.statement ?? '');
      const set = installationAnswer.parse(await call(db.sql, 'inspect_installation'));
      expect([max_connections, set.governor?.wal_mb_per_s]).toEqual([max_connections, Number(limit)]);
      expect(
        adviceFor({ governor: { ...governor, ...set.governor, is_supabase: true, max_connections } }),
      ).toEqual([]);
    }
  });

  test('is none where the size is not known, and where it is not Supabase', () => {
    expect(adviceFor({ governor: { ...governor, max_connections: 100 } })).toEqual([]);
    expect(adviceFor({ governor: { ...governor, is_supabase: false } })).toEqual([]);
    expect(adviceFor({ governor: undefined })).toEqual([]);
  });
});

describe('npm run doctor', () => {
  test('ends with 0 when all is sound, with 3 when not, and says it to people and machines', async () => {
    const { db, environment } = await freshProject({ users: 10 });
    const sound = await doctor([], environment);
    expect(sound).toMatchObject({ code: 0, stdout: '' });
    expect(sound.stderr).toContain('All is as it should be.');
    expect(sound.stderr).toContain('Database connection: on this machine.');

    await db.sql.unsafe('create table imago_undo.old_public_users (batch bigint)');
    const warned = await doctor(['--json'], environment);
    expect(warned.code).toBe(0);
    expect(warned.json()).toMatchObject({
      type: 'result',
      status: 'sound',
      errors: 0,
      warnings: 1,
      findings: [{ code: 'undo_orphaned' }],
      facts: { engine: 1, plans: expect.arrayContaining(['avatars']), database: 'this machine' },
    });
    expect((await doctor(['--fail-on', 'warning'], environment)).code).toBe(3);

    // The way through the API is closed: looked at from inside.
    await db.sql.unsafe('revoke execute on function public.inspect_installation from service_role');
    const closed = await doctor(['--json'], environment);
    expect(closed.code).toBe(3);
    expect(closed.json().findings.map(({ code }: Finding) => code)).toEqual([
      'not_callable',
      'function_closed',
      'undo_orphaned',
    ]);
    const { DATABASE_URL: _, ...byApi } = environment;
    const refused = await doctor(['--json'], byApi);
    expect(refused.code).toBe(1);
    expect(refused.json().error.code).toBe('42501');
    expect(await value(db.sql, 'select count(*) from imago.log')).toBe('0');
  });

  test('says so where nothing is installed; ends with 1 at an address where nobody answers', async () => {
    const { environment } = await freshProject({ app: 'none', migrated: false });
    const bare = await doctor(['--json'], environment);
    expect(bare.code).toBe(3);
    expect(bare.json().findings).toMatchObject([{ code: 'not_installed', severity: 'error' }]);
    const nobody = await doctor(['--json'], {
      SUPABASE_URL: 'http://127.0.0.1:9',
      SUPABASE_SECRET_KEY: 'sb_secret_x',
    });
    expect(nobody.code).toBe(1);
    expect(nobody.json().error.code).toBe('NETWORK');
    expect((await doctor(['--nonsense'], {})).code).toBe(2);
  });
});
