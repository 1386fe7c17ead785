/** What the preflight says to do is typed as it stands, by the role that may do no more than on Supabase. */
import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Role } from '../../scripts/embedded/cluster.ts';
import { type Answer, call, refusal } from '../support/call.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { createPlan, PLAN } from '../support/plan.ts';
import { until } from '../support/until.ts';

let roles = 0;

/** A role that postgres has made, and the app's tables may belong to; gone when the test is. */
async function appRole(db: TestDatabase): Promise<string> {
  const role = `app_${process.pid}_${++roles}`;
  await db.sql.unsafe(`create role ${role}`);
  onTestFinished(async () => {
    const admin = db.connect({ role: 'supabase_admin' });
    await admin.unsafe(`drop owned by ${role} cascade; drop role ${role}`);
  });
  return role;
}

async function database(options: DatabaseOptions = { app: 'none' }): Promise<TestDatabase> {
  const db = await freshDatabase(options);
  onTestFinished(db.drop);
  return db;
}

/** A plan that walks a table by its column id and sets one of its columns. */
async function planOn(
  sql: Sql,
  schema: string,
  table: string,
  keyType: 'integer' | 'uuid' = 'integer',
  column = 'x',
) {
  const relation = `${schema}.${table}`;
  await createPlan(sql, {
    schema,
    table,
    key: 'id',
    keyType,
    pending: 'true',
    apply: `update ${relation} set ${column} = ${column} where id = any (keys);`,
    writes: [{ relation, entity: 'id', columns: [column] }],
  });
}

const problems = async (sql: Sql): Promise<{ kind: string; object: string; hint: string }[]> =>
  (await call(sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' })).problems.filter(
    ({ severity }: Answer) => severity === 'error',
  );

/** The statements that a hint holds. */
const statements = (hint: string): string[] =>
  hint.match(/\b(?:grant|alter|create|drop|select|revoke)\b[^;]*;/g) ?? [];

describe('the statement that the preflight gives fixes what it names, typed as postgres:', () => {
  const situations: [
    what: string,
    admin: (role: string) => string,
    own: (role: string) => string,
    kind: string,
  ][] = [
    [
      'a table of a role of the app',
      () => '',
      (role) =>
        `grant ${role} to postgres; alter table app.things owner to ${role}; revoke ${role} from postgres`,
      'foreign_owner',
    ],
    [
      'a right on a table that was taken away',
      () => '',
      () => 'revoke update, trigger on app.things from postgres',
      'no_right',
    ],
    [
      'a schema of postgres without the right to create',
      () => '',
      () => 'revoke create on schema app from postgres',
      'no_right',
    ],
    [
      'a schema of postgres without the right to use',
      () => '',
      () => 'revoke all on schema app from postgres',
      'no_right',
    ],
    [
      'a schema of a role of the app',
      () => '',
      (role) => `grant ${role} to postgres; alter schema app owner to ${role}; revoke ${role} from postgres`,
      'no_right',
    ],
    [
      'a schema whose owner lets postgres grant it',
      (role) =>
        `alter schema app owner to supabase_admin; grant create on schema app to ${role}; grant usage, create on schema app to postgres with grant option`,
      () => 'revoke create on schema app from postgres',
      '',
    ],
    [
      'a table that another inherits from',
      () => '',
      () => 'create table app.more () inherits (app.things)',
      'inheritance',
    ],
  ];

  test.each(situations)('%s', async (_, admin, own, kind) => {
    const db = await database();
    const role = await appRole(db);
    await db.sql.unsafe('create schema app; create table app.things (id integer primary key, x text)');
    await planOn(db.sql, 'app', 'things');
    await db.sql.unsafe(`grant usage, create on schema app to ${role}`);
    expect(await problems(db.sql)).toEqual([]);
    await db.connect({ role: 'supabase_admin' }).unsafe(admin(role));
    await db.sql.unsafe(own(role));
    const found = await problems(db.sql);
    if (kind !== '') expect(found.map((problem) => problem.kind)).toContain(kind);
    // One after the other: without the right to use a schema nothing more of it can be seen.
    for (let round = 0; round < 3; round++) {
      for (const { hint } of await problems(db.sql)) {
        expect(statements(hint)).toHaveLength(1);
        await db.sql.unsafe(statements(hint)[0] ?? '');
      }
    }
    expect(await problems(db.sql)).toEqual([]);
  });
});

describe('where nobody but a superuser could change it', () => {
  test.each([
    ['auth.users', '', ''],
    [
      'a table of Supabase in public',
      'create table public.theirs (id integer primary key, x text)',
      'public.theirs',
    ],
    [
      'a schema of Supabase',
      'create schema theirs; create table theirs.things (id integer primary key, x text); grant usage on schema theirs to postgres; grant all on theirs.things to postgres',
      'theirs.things',
    ],
  ])('the preflight gives no statement, but another way: %s', async (_, setUp, relation) => {
    const db = await database();
    await db.connect({ role: 'supabase_admin' }).unsafe(setUp);
    const [schema = '', table = ''] = (relation || 'auth.users').split('.');
    await planOn(db.sql, schema, table, relation ? 'integer' : 'uuid', relation ? 'x' : 'email');
    const found = await problems(db.sql);
    expect(found.map(({ kind }) => kind)).toContain('foreign_owner');
    for (const { hint } of found) {
      expect(statements(hint)).toEqual([]);
      expect(hint).toContain('a table of your own');
    }
  });

  test('the session of a superuser is not said to be ended by pg_terminate_backend', async () => {
    const db = await database();
    const admin = await db.connect({ role: 'supabase_admin' }).reserve();
    const own = await db.connect().reserve();
    onTestFinished(() => admin.release());
    await db.sql`update imago.setting set value = '0' where name = 'long_transaction_ms'`;
    const pids: number[] = [];
    for (const session of [admin, own]) {
      await session.unsafe('begin');
      pids.push((await session.unsafe('select pg_backend_pid() as pid'))[0]?.pid);
    }
    await db.sql`create table public.things (id integer primary key, x text)`;
    await planOn(db.sql, 'public', 'things');
    const [{ answer }] = (await db.sql`
      select imago.check_transactions(imago.find_plan(${PLAN})) as answer`) as unknown as [
      { answer: Answer },
    ];
    const hint = (pid?: number) =>
      answer.findings.find(({ object }: Answer) => object === `session ${pid}`)?.hint;
    expect(hint(pids[0])).toContain('superuser');
    expect(hint(pids[0])).not.toContain('pg_terminate_backend');
    await db.sql.unsafe(hint(pids[1]));
    await until('the session is gone', async () => {
      return (await db.sql`select from pg_stat_activity where pid = ${pids[1] ?? 0}`).length === 0;
    });
  });
});

describe('the hint of an error about the session is typed in it, and then the call works:', () => {
  test.each<[code: string, role: Role, before: string, typed: RegExp]>([
    // Only such a session can be in it: postgres may not set it on the embedded Supabase.
    [
      'IM062',
      'supabase_admin',
      'set session_replication_role = replica',
      /set session_replication_role = origin/,
    ],
    [
      'IM063',
      'postgres',
      "set default_transaction_isolation = 'repeatable read'",
      /set default_transaction_isolation = '.*?'/,
    ],
  ])('%s', async (code, role, before, typed) => {
    const db = await database({ app: 'sample', users: 3 });
    const session = await db.connect({ role }).reserve();
    onTestFinished(() => session.release());
    await session.unsafe(before);
    const { code: met, hint = '' } = await refusal(call(session, 'migrate_batch'));
    expect(met).toBe(code);
    await session.unsafe(typed.exec(hint ?? '')?.[0] ?? 'no such statement');
    expect(await call(session, 'migrate_batch')).toMatchObject({ error: null });
  });

  test('IM031: pg_cron is created as it says, and then schedules', async () => {
    const db = await database({ app: 'sample', users: 3 });
    const { code, hint } = await refusal(call(db.sql, 'schedule_migration'));
    expect(code).toBe('IM031');
    await db.sql.unsafe(/create extension pg_cron/.exec(hint ?? '')?.[0] ?? 'no such statement');
    await call(db.sql, 'schedule_migration');
    await call(db.sql, 'unschedule_migration');
  });

  test('IM056: what it has postgres set for itself may be set and reset', async () => {
    const db = await database();
    const [row] = await db.sql<{ hint: string }[]>`select hint from imago.error where code = 'IM056'`;
    const statements = row?.hint.match(/alter role postgres [a-z_]+ [a-z_ =0]+?(?=,|;)/g) ?? [];
    expect(statements).toHaveLength(2);
    const taken = new Error('taken back');
    await expect(
      db.sql.begin(async (tx) => {
        for (const statement of statements) await tx.unsafe(statement);
        throw taken;
      }),
    ).rejects.toBe(taken);
  });
});

test('what the check on row level security says to do is typed by the owner of the table, and then it hides nothing', async () => {
  const db = await database();
  await db.sql`create table public.things (id integer primary key)`;
  await planOn(db.sql, 'public', 'things');
  const role = await appRole(db);
  const admin = db.connect({ role: 'supabase_admin' });
  await admin.unsafe(`
    grant usage on schema imago to ${role}; grant select on all tables in schema imago to ${role}; grant execute on all functions in schema imago to ${role};
    alter table public.things owner to ${role}; alter table public.things enable row level security, force row level security`);
  const look = async (tx: Sql): Promise<{ hint: string }[]> => {
    const [row] =
      await tx`select imago.check_row_security(imago.find_plan(${PLAN})) -> 'findings' as findings`;
    return row?.findings;
  };
  await admin.begin(async (tx) => {
    await tx.unsafe(`set local role ${role}`);
    const [finding] = await look(tx as unknown as Sql);
    await tx.unsafe(statements(finding?.hint ?? '')[0] ?? 'no statement');
    expect(await look(tx as unknown as Sql)).toEqual([]);
  });
});
