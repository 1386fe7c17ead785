import { afterEach, describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { changePlan, contents, createPlan, PLAN, type PlanParts } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const ROWS = 12;

const plan: PlanParts = {
  table: 'items',
  key: 'id',
  keyType: 'integer',
  pending: 's.label is null',
  apply: `
    update public.items set label = 'item ' || id where id = any (keys) and label is null;
    insert into public.copies (item, label) select id, label from public.items where id = any (keys) on conflict do nothing;`,
  writes: [
    { relation: 'public.items', entity: 'id', columns: ['label'] },
    { relation: 'public.copies', entity: 'item', inserts: true },
  ],
};

/** Items to copy, in a database whose search_path has the schema app, and what a test adds. */
async function items(more = '', parts: Partial<PlanParts> = {}): Promise<TestDatabase> {
  const db = await freshDatabase({});
  databases.push(db);
  await db.sql.unsafe(`
    create schema app;
    do $$ begin execute format('alter database %I set search_path = public, app', current_database()); end $$;
    set search_path = public, app;
    create table public.items (id int primary key, label text, secret text not null default 'sesame');
    create table public.copies (item int primary key, label text);
    create table public.audit (what text);
    create table app.trail (what text);
    create function app.remember(what text) returns void language plpgsql as $$ begin insert into trail values (what); end $$;
    insert into public.items select i from generate_series(1, ${ROWS}) i;
    ${more};
    reset search_path;`);
  await createPlan(db.sql, { ...plan, ...parts });
  return db;
}

/** A trigger that does something for one item. */
const trigger = (event: string, table: string, doing: string, when = 'true') => `
  create function public.guard() returns trigger language plpgsql as $$
  begin
    if ${when} then ${doing} end if;
    return coalesce(new, old);
  end $$;
  create trigger "the guard" ${event} on public.${table} for each row execute function public.guard()`;

/** The same under a name of its own. */
const named = (name: string, statement: string) =>
  statement.replaceAll('public.guard()', `public.${name}()`).replace('"the guard"', name);

const migrate = ({ sql }: TestDatabase) => migrateAll(sql, { plan: PLAN, batch_size: 5 });
const back = ({ sql }: TestDatabase) => rollbackAll(sql, { plan: PLAN });
const moved = ({ sql }: TestDatabase) => value(sql, 'select count(label)::int from public.items');
const failures = async ({ sql }: TestDatabase) => [
  ...(await sql<{ entity: string; kind: string; sqlstate: string; raised_by: string | null }[]>`
    select entity, kind, sqlstate, raised_by from imago.failure order by entity::int`),
];

describe('code of the app finds its names', () => {
  /** What the app has, each with another place in which it names nothing in full. */
  const unqualified = [
    // Triggers.
    named('writes', trigger('before update', 'items', `insert into audit values ('x');`)),
    named('elsewhere', trigger('after update', 'items', `insert into trail values ('x');`)),
    named('calls', trigger('before insert', 'copies', `perform remember('x');`)),
    named(
      'calls_sql',
      `create function public.note(what text) returns void language sql as $$ insert into audit values (what) $$;
       ${trigger('before insert', 'copies', `perform note('x');`)}`,
    ),
    named('removes', trigger('before insert or delete', 'copies', `insert into audit values ('x');`)),
    // Deferred ones.
    `create function public.later() returns trigger language plpgsql as $$ begin insert into audit values ('x'); return null; end $$;
     create constraint trigger later after insert or update or delete on public.copies deferrable initially deferred
       for each row execute function public.later();
     create constraint trigger later after update on public.items deferrable initially deferred
       for each row execute function public.later()`,
    // The check of a domain.
    `create table public.words (word text);
     create function public.is_word(text) returns boolean language plpgsql as $$ begin return not exists (select from words where word = $1); end $$;
     create domain public.label as text check (is_word(value));
     alter table public.items alter label type public.label`,
    // A generated column, and an index on an expression.
    `create function public.half(text) returns text language plpgsql immutable as $$ begin return left($1, 2); end $$;
     create function public.short(text) returns text language plpgsql immutable as $$ begin return half($1); end $$;
     alter table public.items add short text generated always as (public.short(label)) stored;
     create index on public.copies (short(label))`,
    // A function with the rights of its owner and a path of its own.
    `create function public.own() returns void language plpgsql security definer set search_path = app as $$ begin insert into trail values ('x'); end $$;
     ${named('as_owner', trigger('before update', 'items', 'perform own();'))}`,
  ];
  test('triggers of all kinds, a domain, a generated column and an index: forward and back go through', async () => {
    const db = await items(unqualified.join(';\n'));
    const original = await contents(db.sql, ['public.items', 'public.copies']);
    const last = (await migrate(db)).at(-1);
    expect(await failures(db)).toEqual([]);
    expect(last).toMatchObject({ state: 'succeeded', failures_left: 0 });
    expect(await moved(db)).toBe(ROWS);
    const end = (await back(db)).at(-1);
    expect(await failures(db)).toEqual([]);
    expect(end).toMatchObject({ state: 'succeeded' });
    expect(await contents(db.sql, ['public.items', 'public.copies'])).toEqual(original);
  });

  test('a sync: the trigger of the app that its write fires, too', async () => {
    const db = await items(trigger('before insert', 'copies', `perform remember('x');`), {
      syncs: [
        {
          name: 'label',
          relation: 'public.items',
          entity: 'id',
          events: ['insert'],
          statement:
            'insert into public.copies (item, label) select n.id, n.label from new_rows n where n.label is not null',
        },
      ],
    });
    await migrate(db);
    await db.sql`insert into public.items (id, label) values (100, 'new')`;
    expect(await value(db.sql, 'select count(*)::int from public.copies where item = 100')).toBe(1);
    expect(await value(db.sql, `select count(*)::int from app.trail`)).toBe(ROWS + 1);
    expect(
      await value(db.sql, `select count(*)::int from public.migration_log where event = 'sync_failed'`),
    ).toBe(0);
  });

  test('apply, the view pending and a check call functions of the app that name nothing in full', async () => {
    const db = await items(
      `create function app.is_open(int) returns boolean language plpgsql stable as $$ begin return (select label is null from items where id = $1); end $$`,
      { pending: 'app.is_open(s.id)', apply: `${plan.apply} perform app.remember('x');` },
    );
    await db.sql`
      insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, query, meaning, remedy)
      values (${PLAN}, 1, 'open', 'error', 'after', 'public.items', 'id',
              'select i.id as key, i.id as entity from public.items i where app.is_open(i.id)', 'open', 'move it')`;
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await moved(db)).toBe(ROWS);
    const { checks } = await call(db.sql, 'validate_migration', { plan: PLAN });
    expect(checks.find(({ name }: { name: string }) => name === 'open')).toMatchObject({
      found: 0,
      error: null,
    });
  });

  test('apply without a path of its own has that of the app', async () => {
    const db = await items();
    await db.sql.unsafe(`
      drop function ${PLAN}.apply(integer[]);
      create function ${PLAN}.apply(keys integer[]) returns void language plpgsql as $$
      begin perform remember(current_setting('search_path')); ${plan.apply} end $$`);
    expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await value(db.sql, 'select distinct what from app.trail')).toBe('public, app, pg_temp');
  });

  test('the path is that of the setting, of the app’s roles, of the database, of the owner, or Supabase’s', async () => {
    const db = await freshDatabase({});
    databases.push(db);
    const path = () => value<string>(db.sql, 'select imago.app_search_path()');
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    const here = (of: string, set: string) =>
      admin.unsafe(
        `do $$ begin execute format('alter ${of} %I ${set}', current_database()); end $$`.replace(
          'role',
          'role',
        ),
      );
    expect(await path()).toBe('"$user", public, extensions, pg_temp');
    await here('role postgres in database', 'set search_path = owners');
    expect(await path()).toBe('owners, pg_temp');
    await here('role service_role in database', 'set search_path = server');
    expect(await path()).toBe('server, pg_temp');
    await here('database', 'set search_path = public, app');
    expect(await path()).toBe('public, app, pg_temp');
    await here('role authenticated in database', 'set search_path = "My app", public, pg_temp');
    expect(await path()).toBe('"My app", public, pg_temp');
    await here('role authenticator in database', 'set search_path = api');
    expect(await path()).toBe('api, pg_temp');
    await db.sql`update imago.setting set value = 'mine, public' where name = 'app_search_path'`;
    expect(await path()).toBe('mine, public, pg_temp');
  });

  test('who may create in a schema of the path besides its owner is named by the preflight', async () => {
    const db = await items(
      'grant create on schema app to authenticated; grant create on schema public to public',
    );
    const { problems } = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(problems.filter(({ kind }: { kind: string }) => kind === 'open_schema')).toEqual([
      expect.objectContaining({
        severity: 'warning',
        object: 'schema public',
        hint: 'revoke create on schema public from public;',
      }),
      expect.objectContaining({
        object: 'schema app',
        message: expect.stringContaining('open to authenticated:'),
        hint: 'revoke create on schema app from authenticated;',
      }),
    ]);
    await db.sql.unsafe(problems.map(({ hint }: { hint: string }) => hint).join(' '));
    const after = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(after.problems).toEqual([]);
  });

  test('a temporary table does not take the place of one of the app', async () => {
    const db = await items(trigger('before update', 'items', `insert into audit values ('x');`));
    const session = db.connect({ max: 1 });
    await session.unsafe('create temp table audit (what text)');
    while ((await call(session, 'migrate_batch', { plan: PLAN })).has_more);
    expect(await value(session, 'select count(*)::int from public.audit')).toBe(ROWS);
  });
});

describe('an error that the app’s code raises', () => {
  const codes = [
    '42501',
    '42703',
    '53100',
    '58030',
    'XX000',
    '55000',
    '55P03',
    '40001',
    '57014',
    '57P01',
    'P0001',
    'IM010',
    'IM026',
    'IM060',
    'IM061',
    'IMDRY',
    '40IM1',
    '40IM2',
    '22012',
    'P0004',
  ];
  /** Who raises these asks for another try, and gets some. */
  const kindOf = (code: string) => (/^(40001|55P03)$/.test(code) ? 'deferred' : 'failed');

  /** Items of which one in each batch of five meets another of the codes. */
  const STEP = 5;
  const ALL = codes.length * STEP;
  const met = codes.map((code, i) => ({ entity: String(i * STEP + 3), code }));
  const all = (when: string) =>
    items(`
      insert into public.items select i from generate_series(${ROWS + 1}, ${ALL}) i;
      create table public.codes (id int primary key, code text);
      insert into public.codes values ${met.map(({ entity, code }) => `(${entity}, '${code}')`).join(', ')};
      ${trigger(
        'before update',
        'items',
        `raise exception using errcode = (select c.code from public.codes c where c.id = old.id), message = old.secret || 'said', detail = 'not json';`,
        `${when} and exists (select from public.codes c where c.id = old.id)`,
      )}`);

  test('of any SQLSTATE on the way forward: sets the one item aside, named; the others move', async () => {
    const db = await all('true');
    const dry = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'full', max_ms: 60_000 });
    expect(dry.failures).toEqual(
      met.map(({ code }) =>
        expect.objectContaining({
          kind: kindOf(code),
          raised_by: expect.stringContaining('public.guard line 3'),
        }),
      ),
    );
    let last = await call(db.sql, 'migrate_batch', { plan: PLAN, batch_size: STEP, max_failures: '1000' });
    while (last.has_more)
      last = await call(db.sql, 'migrate_batch', { plan: PLAN, batch_size: STEP, max_failures: '1000' });
    expect(last).toMatchObject({ has_more: false, failures_left: codes.length });
    expect(await moved(db)).toBe(ALL - codes.length);
    expect(await failures(db)).toEqual(
      met.map(({ entity, code }) => ({
        entity,
        kind: kindOf(code),
        sqlstate: code,
        raised_by: expect.stringMatching(
          /^public\.guard line 3 \(trigger "the guard" on public\.items\), called by trial\.apply line \d+$/,
        ),
      })),
    );
    for (const { entity, code } of met) {
      const log = await db.sql`select detail from public.migration_log where entity = ${entity}`;
      expect(log[0]?.detail.raised_by, code).toContain('public.guard line 3');
      expect(JSON.stringify(log)).not.toContain('sesame');
      const told = await refusal(call(db.sql, 'migrate_entity', { plan: PLAN, entity }));
      expect([code, told.code]).toEqual([code, 'IM023']);
      expect(told.message).toContain(`SQLSTATE ${code} in public.guard line 3`);
    }
  });

  test('of any SQLSTATE on the way back: the one item stays, named; the others go back', async () => {
    const db = await all('new.label is null');
    await migrate(db);
    expect(await moved(db)).toBe(ALL);
    expect((await back(db)).at(-1)).toMatchObject({ has_more: false });
    expect(await moved(db)).toBe(codes.length);
    expect(await failures(db)).toEqual(
      met.map(({ entity, code }) => ({
        entity,
        kind: kindOf(code),
        sqlstate: code,
        raised_by: expect.stringContaining('public.guard line 3'),
      })),
    );
  });

  test('of its own statements (missing table, denied table, function in SQL): sets the item aside, named', async () => {
    const db = await items(`
      create table public.denied (id int);
      create function public.note(id int) returns void language sql as $$ insert into public.denied select 1 / (id - 8) $$;
      ${trigger('before update', 'items', `if old.id = 7 then insert into nothing values (1); end if; perform note(old.id);`, 'old.id in (7, 8)')}`);
    expect((await migrate(db)).at(-1)).toMatchObject({ failures_left: 2 });
    expect(await failures(db)).toMatchObject([
      { entity: '7', sqlstate: '42P01', raised_by: expect.stringContaining('public.guard line 3') },
      {
        entity: '8',
        sqlstate: '22012',
        raised_by: expect.stringMatching(/^public\.note statement 1, called by public\.guard line 3/),
      },
    ]);
  });

  test('in a deferred constraint trigger, or a function with quoted names: sets the item aside, named', async () => {
    const db = await items(`
      create schema "My.App";
      create function "My.App"."Is (it)?"() returns trigger language plpgsql as $$
      begin if new.id = 7 then raise exception using errcode = '42501'; end if; return null; end $$;
      create constraint trigger "Later" after update on public.items deferrable initially deferred
        for each row execute function "My.App"."Is (it)?"()`);
    expect((await migrate(db)).at(-1)).toMatchObject({ failures_left: 1 });
    expect(await failures(db)).toMatchObject([
      {
        entity: '7',
        sqlstate: '42501',
        raised_by: '"My.App"."Is (it)?" line 2 (trigger "Later" on public.items)',
      },
    ]);
  });

  test('in a sync: the app’s write stands, the entity stays pending, the log names it', async () => {
    const db = await items(
      trigger(
        'before insert',
        'copies',
        `raise exception using errcode = 'IM010', detail = 'not json';`,
        'new.item = 100',
      ),
      {
        pending: 's.label is null or not exists (select from public.copies c where c.item = s.id)',
        syncs: [
          {
            name: 'label',
            relation: 'public.items',
            entity: 'id',
            events: ['insert'],
            statement: 'insert into public.copies (item, label) select n.id, n.label from new_rows n',
          },
        ],
      },
    );
    await migrate(db);
    await db.sql`insert into public.items (id, label) values (100, 'new')`;
    expect(await value(db.sql, `select entity from ${PLAN}.pending`)).toBe(100);
    const [line] =
      await db.sql`select sqlstate, detail from public.migration_log where event = 'sync_failed'`;
    expect(line).toMatchObject({
      sqlstate: 'IM010',
      detail: { raised_by: 'public.guard line 3 (trigger "the guard" on public.copies)' },
    });
  });

  test('that is a lock which a trigger waits for counts as a lock', async () => {
    const db = await items(
      trigger('before update', 'items', 'perform from public.audit for update;', 'old.id = 7') +
        `; insert into public.audit values ('x')`,
    );
    while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
    await call(db.sql, 'migrate_entity', { plan: PLAN, entity: '1' });
    const other = db.connect({ max: 1 });
    await other.unsafe('begin; select from public.audit for update');
    expect((await refusal(call(db.sql, 'migrate_entity', { plan: PLAN, entity: '7' }))).code).toBe('IM025');
    await other.unsafe('rollback');
  });
});

describe('a guard of the app', () => {
  const guarded = () =>
    items(trigger('before update', 'items', `raise exception 'only % yourself', old.secret;`, 'old.id > 5'));

  test('preflight and validate name it before anything is tried', async () => {
    const db = await guarded();
    const { problems } = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(problems).toMatchObject([
      {
        severity: 'warning',
        kind: 'guard_trigger',
        object: 'trigger "the guard" on public.items',
        message: 'may refuse what the plan writes: public.guard raises exceptions',
      },
    ]);
    const { checks } = await call(db.sql, 'validate_migration', { plan: PLAN, detailed: true });
    const { findings } = checks.find(({ name }: { name: string }) => name === 'app_triggers');
    expect(findings[0]).toMatchObject({
      object: 'trigger "the guard" on public.items',
      hint: expect.stringContaining('raises exceptions'),
    });
  });

  test('a trigger that only tells, fires on other columns or is disabled is none', async () => {
    const db = await items(`
      create function public.tells() returns trigger language plpgsql as $$ begin raise notice 'x'; -- raise exception
        return new; end $$;
      create function public.refuses() returns trigger language plpgsql as $$ begin raise exception 'x'; end $$;
      create trigger tells before update on public.items for each row execute function public.tells();
      create trigger other before update of secret on public.items for each row execute function public.refuses();
      create trigger off before update on public.items for each row execute function public.refuses();
      alter table public.items disable trigger off`);
    const { problems } = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(problems).toEqual([]);
  });

  test('a run that it stops names it in the error, the statistics and the log', async () => {
    const db = await guarded();
    const args = { plan: PLAN, batch_size: 5, max_failures: '3' };
    let last = await call(db.sql, 'migrate_batch', args);
    while (last.has_more && last.status !== 'failed') last = await call(db.sql, 'migrate_batch', args);
    expect(last).toMatchObject({
      error: {
        code: 'IM020',
        hint: expect.stringMatching(/Most frequent, 4 times: SQLSTATE P0001 in public\.guard line 3/),
      },
    });
    const { errors_by_raiser } = await call(db.sql, 'get_migration_performance_stats', { plan: PLAN });
    expect(Object.values(errors_by_raiser)).toEqual([4]);
    expect(JSON.stringify([last, errors_by_raiser])).not.toContain('sesame');
  });

  test('a step that it refuses fails with IM073 and its name, whatever its SQLSTATE', async () => {
    const db = await items(trigger('before update', 'items', `raise exception using errcode = 'IM006';`));
    await db.sql.unsafe(`
      create function ${PLAN}.fill() returns void language sql as $$ update public.items set secret = 'x' $$;
      insert into imago.plan_step (plan, position, name, routine) values ('${PLAN}', 1, 'fill', 'fill')`);
    const told = await refusal(call(db.sql, 'prepare_migration', { plan: PLAN }));
    expect(told).toMatchObject({
      code: 'IM073',
      message: expect.stringContaining('IM006 in public.guard line 3'),
    });
  });

  test('a step whose deferred constraint trigger names tables without their schema goes through', async () => {
    const db = await items(`
      create function public.later() returns trigger language plpgsql as $$ begin insert into audit values ('x'); return null; end $$;
      create constraint trigger later after update on public.items deferrable initially deferred
        for each row execute function public.later()`);
    await db.sql.unsafe(`
      create function ${PLAN}.fill() returns void language sql as $$ update public.items set secret = 'x' $$;
      insert into imago.plan_step (plan, position, name, routine) values ('${PLAN}', 1, 'fill', 'fill')`);
    const session = db.connect({ max: 1 });
    await session.unsafe(`set search_path = ''`);
    await call(session, 'prepare_migration', { plan: PLAN });
    expect(await value(db.sql, 'select count(*)::int from public.audit')).toBe(ROWS);
  });
});

describe('an error that the plan’s own statements raise', () => {
  test('for a column that apply misses stops the run, and names apply and its line', async () => {
    const db = await items();
    await changePlan(db.sql, {
      ...plan,
      apply: 'update public.items set missing = 1 where id = any (keys);',
    });
    const last = (await migrate(db)).at(-1);
    expect(last).toMatchObject({ status: 'failed', error: { code: 'IM021' } });
    expect(last?.error?.message).toBe('the run stopped with SQLSTATE 42703');
    expect(last?.error?.hint).toMatch(/It came from trial\.apply line \d+\.$/);
    expect(await failures(db)).toEqual([]);
  });

  test('for rows that a publication lets nobody delete is no lock: the rollback stops with 55000', async () => {
    const db = await items();
    await migrate(db);
    await db.sql.unsafe(
      'alter table public.copies replica identity nothing; create publication p for table public.copies',
    );
    const told = await refusal(call(db.sql, 'rollback_entity', { plan: PLAN, entity: '1' }));
    expect(told).toMatchObject({ code: 'IM023' });
    expect(told.message).toContain('55000');
    expect((await back(db)).at(-1)).toMatchObject({ status: 'failed', error: { code: 'IM021' } });
    await db.sql.unsafe('drop publication p');
    await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
    expect((await back(db)).at(-1)).toMatchObject({ state: 'succeeded' });
  });
});

test('an error’s context in any language: the same functions and lines are read from it', async () => {
  const db = await items(`
    create function public.note(text) returns void language sql as 'select';
    ${trigger('before update', 'items', 'null;')}`);
  for (const [language, frame, sql] of [
    ['English', 'PL/pgSQL function public.guard() line 3 at RAISE', 'SQL function "note" statement 1'],
    ['German', 'PL/pgSQL-Funktion public.guard() Zeile 3 bei RAISE', 'SQL-Funktion »note« Anweisung 1'],
    ['French', 'fonction PL/pgSQL public.guard(), ligne 3, à RAISE', 'fonction SQL « note », instruction 1'],
    ['Japanese', 'PL/pgSQL関数public.guard()の3行目 - RAISE', 'SQL関数"note"の行番号 1'],
    ['Korean', 'public.guard() PL/pgSQL 함수, 3번째 줄, RAISE', '"note" SQL 함수 1번째 문장'],
    ['Chinese', '在第3行的RAISE的PL/pgSQL函数public.guard()', 'SQL函数"note"的语句 1'],
  ] as const) {
    const context = [
      sql,
      "SQL statement \"select secret('PL/pgSQL function public.guard() line 9')",
      'from public.guard() where name = "note"',
      frame,
      'SQL statement "update public.items set label = \'x\'"',
    ].join('\n');
    const frames = await db.sql`
      select schema_name || '.' || routine_name as name, line, is_raise from imago.error_frames(${context}) order by number`;
    expect([...frames], language).toEqual([
      { name: 'public.note', line: 1, is_raise: false },
      { name: 'public.guard', line: 3, is_raise: true },
    ]);
  }
});

test('apply with an empty search_path of its own: triggers of the app find their names all the same', async () => {
  const db = await items(trigger('before update', 'items', `perform remember(new.label);`));
  await db.sql.unsafe(`
    create or replace function ${PLAN}.apply(keys integer[]) returns void language sql set search_path = '' as $$
      update public.items set label = 'item ' || id where id = any (keys) and label is null $$`);
  expect((await migrateAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
  expect(await value(db.sql, 'select count(*)::int from app.trail')).toBe(ROWS);
});
