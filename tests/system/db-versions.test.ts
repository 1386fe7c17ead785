/** Versions applied and taken back: nothing is lost, nothing is half done, and what cannot be done says why. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { cliPush, current, hanging, rowsOf, started, V1, V2, V3 } from '../support/versions.ts';

describe('what a downgrade drops is put back by the next upgrade', () => {
  test('tables that refer to each other, with keys, sequences, generated columns and triggers that would change rows', async () => {
    const project = await started(
      `create type public.kind as enum ('x', 'y');
       create table public.parent (id int generated always as identity primary key, kind public.kind[] default '{x}', big numeric, doubled numeric generated always as (big * 2) stored);
       create table public.child (id serial primary key, parent int not null references public.parent on delete cascade, t int references public.t, self int references public.child, j json);
       create function public.spoil() returns trigger language plpgsql as $$ begin new.j := '"spoilt"'; return new; end $$;
       create trigger spoil before insert or update on public.child for each row execute function public.spoil();
       insert into public.parent (big) values (-1);`,
      'drop table public.child; drop function public.spoil(); drop table public.parent; drop type public.kind;',
    );
    const { sql, run } = project;
    await run('upgrade');
    await sql.unsafe(`
      update parent set big = 0;
      insert into parent (kind, big) select '{y,x}', i / 3.0 from generate_series(1, 5) i;
      alter table child disable trigger spoil;
      insert into child (parent, t, self, j) select i, i, null, '{"a": 1}' from generate_series(1, 6) i;
      update child set self = id - 1 where id > 1;
      alter table child enable trigger spoil;
      select nextval('child_id_seq');`);
    const before = await rowsOf(sql, 'parent', 'child', 't');
    expect((await run('downgrade')).data?.moved_aside).toMatchObject([
      { object: 'table public.parent', rows: 6 },
      { object: 'table public.child', rows: 6 },
    ]);
    expect(await sql`select to_regclass('child') as t`).toEqual([{ t: null }]);
    await run('upgrade');
    expect(await rowsOf(sql, 'parent', 'child', 't')).toEqual(before);
    expect(
      await sql`select nextval('child_id_seq')::int as next, tgenabled from pg_trigger where tgname = 'spoil'`,
    ).toEqual([{ next: 8, tgenabled: 'O' }]);
    expect(await sql`insert into parent (big) values (1) returning id`).toEqual([{ id: 7 }]);
    expect(await sql`select from pg_namespace where nspname = 'imago_attic'`).toHaveLength(0);
  });

  test('rows whose parents went meanwhile stay in the attic, and are counted', async () => {
    const project = await started(
      'create table public.child (id int primary key, t int not null references public.t);',
      'drop table public.child;',
    );
    await project.run('upgrade');
    await project.sql`insert into child select id, id from t`;
    await project.run('downgrade');
    await project.sql`delete from t where id > 7`;
    expect((await project.run('upgrade')).data?.put_back).toEqual([
      { object: 'table public.child', rows: 7, left: 3, newer: 0 },
    ]);
    expect((await project.run('status')).data?.aside).toMatchObject([{ rows: 3, left: true }]);
    expect(await project.sql`select count(*)::int from child`).toEqual([{ count: 7 }]);
  });

  test('columns that must have a value, in a table that got rows and lost some: what was kept comes before not null', async () => {
    const project = await started(
      'alter table public.t add column b int; alter table public.t alter column b set not null;',
      'alter table public.t drop column b;',
    );
    const { sql, run } = project;
    await sql`delete from t`;
    await run('upgrade');
    await sql`insert into t select i, 'again', now(), i * 2 from generate_series(1, 5) i`;
    const before = await rowsOf(sql, 't');
    await run('downgrade');
    await sql`insert into t values (99, 'no value')`;
    expect(await project.refusal('upgrade')).toMatchObject({
      code: 'rows-do-not-fit',
      message: expect.stringContaining('column b'),
    });
    await sql`delete from t where id = 99`;
    await run('upgrade');
    expect(await rowsOf(sql, 't')).toEqual(before);
  });

  test('values that the older type cuts, unless somebody has written others since', async () => {
    const project = await started(
      'alter table public.t alter column a type text; alter table public.t alter column changed type timestamptz;',
      'alter table public.t alter column a type varchar(3) using a::varchar(3); alter table public.t alter column changed type date using changed::date;',
    );
    const { sql, run } = project;
    await run('upgrade');
    const before = await rowsOf(sql, 't');
    expect((await run('downgrade')).data?.moved_aside).toMatchObject([
      { object: 'values of public.t.a', rows: 10 },
      { object: 'values of public.t.changed', rows: 10 },
    ]);
    expect(await sql`select a from t where id = 1`).toEqual([{ a: 'row' }]);
    await sql`update t set a = 'new' where id = 4`;
    await run('upgrade');
    expect(await sql`select a from t where id = 4`).toEqual([{ a: 'new' }]);
    await sql`update t set a = 'row 4' where id = 4`;
    expect(await rowsOf(sql, 't')).toEqual(before);
  });

  test('also where version after version goes, and keys of several columns have names that need quotes', async () => {
    const project = await started(
      'create table public."Pair" ("A" int, "B b" text, primary key ("A", "B b"));',
      'drop table public."Pair";',
    );
    const { sql, run } = project;
    await project.version(
      V3,
      'alter table public."Pair" add column "select" text[]; alter table public."Pair" rename column "A" to "C";',
      'alter table public."Pair" rename column "C" to "A"; alter table public."Pair" drop column "select";',
    );
    await run('upgrade');
    await sql`insert into "Pair" select i, 'b ' || i, array['x', null, 'y, "z"'] from generate_series(1, 5) i`;
    const before = await rowsOf(sql, '"Pair"', 't');
    await run('downgrade', V1);
    expect(await current(project)).toBe(V1);
    await run('upgrade');
    expect(await rowsOf(sql, '"Pair"', 't')).toEqual(before);
    expect((await run('check')).status).toBe('done');
  });

  test('where the CLI applies the version instead, what was kept stays in the attic, and never overwrites what is newer', async () => {
    const project = await started(
      'alter table public.t add column b text;',
      'alter table public.t drop column b;',
    );
    const { sql, run } = project;
    await run('upgrade');
    await sql`update t set b = 'old'`;
    await run('downgrade');
    await cliPush(project);
    expect(await project.list()).toMatchObject([{ remote: true }, { remote: true }]);
    expect((await run('status')).data?.aside).toMatchObject([{ rows: 10, left: false }]);
    await sql`update t set b = 'new' where id < 6`;
    const before = await rowsOf(sql, 't');
    await run('downgrade');
    await run('upgrade');
    expect(await rowsOf(sql, 't')).toEqual(before);
    expect((await run('status')).data?.aside).toMatchObject([{ rows: 10, left: true }]);
  });

  test('values of a table without a key are not given up unless somebody says so', async () => {
    const project = await started('create table public.loose (a int); ', 'drop table public.loose;');
    await project.version(
      V3,
      'alter table public.loose add column b int;',
      'alter table public.loose drop column b;',
    );
    await project.run('upgrade');
    await project.sql`insert into loose values (1, 2), (1, 3)`;
    expect(await project.refusal('downgrade')).toMatchObject({ code: 'no-key' });
    expect(await current(project)).toBe(V3);
    await project.run('downgrade', '--allow-data-loss');
    expect(await current(project)).toBe(V2);
  });

  test('what the way back drops beyond that is refused, and nothing is changed', async () => {
    const project = await started(
      'create table public.extra (id int primary key);',
      'drop table public.extra; drop schema if exists other cascade;',
    );
    await project.run('upgrade');
    await project.sql.unsafe(
      'create schema other; create table other.precious (id int primary key); insert into other.precious values (1)',
    );
    expect(await project.refusal('downgrade')).toMatchObject({
      code: 'unsafe-way-back',
      message: expect.stringContaining('other.precious'),
    });
    expect(await rowsOf(project.sql, 'other.precious', 'extra')).toMatchObject({
      'other.precious': [expect.any(String)],
    });
  });

  test('values that an older type cannot hold are refused, and nothing is changed', async () => {
    const project = await started(
      'alter table public.t add column big bigint;',
      'alter table public.t drop column big;',
    );
    await project.version(
      V3,
      'alter table public.t alter column id type bigint;',
      'alter table public.t alter column id type int;',
    );
    await project.run('upgrade');
    await project.sql`insert into t (id) values (5000000000)`;
    const { code, message } = await project.refusal('downgrade');
    expect(code).toBe('rows-do-not-fit');
    expect(message).not.toContain('5000000000');
    expect(await current(project)).toBe(V3);
  });
});

describe('an upgrade', () => {
  test('that fails leaves the version before it, and says file, line and reason without values', async () => {
    const project = await started(
      `alter table public.t add column b int;\n\nalter table public.t add check (a <> 'row 3');`,
    );
    const { code, message } = await project.refusal('upgrade');
    expect(code).toBe('rows-do-not-fit');
    expect(message).toContain(`${V2}_by_hand.sql:3: a row breaks a check: table t`);
    expect(await current(project)).toBe(V1);
    expect(
      await project.sql`select from pg_attribute where attrelid = 't'::regclass and attname = 'b'`,
    ).toHaveLength(0);
  });

  test('finds nothing in its session that another one has left there', async () => {
    const project = await started(
      `set statement_timeout = '7min'; create temp table left_over (id int); prepare left_over as select 1;
       listen left_over; select pg_advisory_lock(7); declare left_over cursor with hold for select 1; set role anon;`,
    );
    await project.version(
      V3,
      `do $$ begin
         assert current_user = 'postgres' and current_setting('statement_timeout') <> '7min';
         assert to_regclass('left_over') is null and not exists (select from pg_cursors);
         assert not exists (select from pg_prepared_statements where from_sql) and not exists (select from pg_listening_channels());
         assert not exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid());
       end $$;`,
    );
    expect((await project.run('upgrade')).data?.applied).toEqual([V2, V3]);
  });

  test('waits for locks a little, tries again, and gives up saying so', async () => {
    const project = await started('alter table public.t add column b int;');
    const holder = project.db.connect();
    await holder.unsafe('begin; select from t limit 1');
    expect(await project.refusal('upgrade', '--lock-timeout', '20', '--attempts', '3')).toMatchObject({
      code: 'locked',
    });
    expect(await current(project)).toBe(V1);
    const patient = project.run('upgrade', '--lock-timeout', '50', '--attempts', '1000');
    await until('it waits for the lock', async () => {
      const rows =
        await project.sql`select from pg_stat_activity where datname = ${project.db.name} and wait_event_type = 'Lock'`;
      return rows.length > 0;
    });
    await holder.unsafe('commit');
    expect((await patient).data).toMatchObject({ current: V2 });
  });

  test('by two commands at once is done by one of them', async () => {
    const project = await started('create table public.once (id int primary key);');
    const results = await Promise.allSettled([project.run('upgrade'), project.run('upgrade')]);
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'changed-meanwhile' });
    }
    expect(await current(project)).toBe(V2);
  });

  test('runs a concurrent index outside of a transaction, again after it was interrupted', async () => {
    const project = await started(
      'create unique index concurrently t_a on public.t (a);',
      'drop index concurrently public.t_a;',
    );
    await project.sql`update t set a = 'same'`;
    expect(await project.refusal('upgrade')).toMatchObject({ code: 'rows-do-not-fit' });
    expect(await project.sql`select indisvalid from pg_index where indexrelid = 't_a'::regclass`).toEqual([
      { indisvalid: false },
    ]);
    await project.sql`update t set a = id::text`;
    await project.run('upgrade');
    expect(await current(project)).toBe(V2);
    await project.run('downgrade');
    expect(await current(project)).toBe(V1);
  });
});

describe('an interrupted upgrade or downgrade leaves either version, never something between', () => {
  const up =
    'create table public.n (id int primary key); insert into public.n select i from generate_series(1, 9) i; alter table public.t add column b int; select from public.t for update;';
  const down = 'alter table public.t drop column b; drop table public.n;';
  const lock = 'lock table t in access share mode';

  test('its backend ended, forward; its process killed, back', async () => {
    const project = await started(up, down);
    const { sql } = project;
    const forward = await hanging(project, lock, 'upgrade');
    await sql`select pg_terminate_backend(${forward.pid})`;
    const { code, stderr } = await forward.running.finished;
    expect(code).toBe(1);
    expect(stderr).toContain('never a part');
    await forward.end();
    expect(await current(project)).toBe(V1);
    expect((await project.run('check')).data?.drift).toEqual([]);
    await project.run('upgrade');
    const before = await rowsOf(sql, 't', 'n');

    const back = await hanging(project, lock, 'downgrade');
    back.running.child.kill('SIGKILL');
    await back.running.finished;
    await back.end();
    expect(await current(project)).toBe(V2);
    expect((await project.run('check')).data).toMatchObject({ drift: [], pending: [] });
    expect(await rowsOf(sql, 't', 'n')).toEqual(before);
    expect(await sql`select from pg_namespace where nspname = 'imago_attic'`).toHaveLength(0);
  });
});

describe('a history that cannot be built upon', () => {
  test('a version that was edited after it was applied is named; stamp takes its word', async () => {
    const project = await started('create table public.u (id int);');
    await project.run('upgrade');
    await project.version(V2, '-- only a comment more\ncreate   table public.u (id int);');
    expect((await project.run('status')).data?.edited).toEqual([]);
    await project.version(V2, 'create table public.u (id bigint);');
    expect(await project.refusal('upgrade')).toMatchObject({
      code: 'edited',
      message: expect.stringContaining(V2),
    });
    expect(await project.refusal('downgrade')).toMatchObject({ code: 'edited' });
    expect((await project.run('check')).status).toBe('drift');
    await project.sql.unsafe('alter table u alter column id type bigint');
    await project.run('stamp', V2);
    expect((await project.run('check')).status).toBe('done');
  });

  test('versions that the folder does not have are named, with where to get them', async () => {
    const project = await started('create table public.u (id int);');
    await project.run('upgrade');
    await rm(path.join(project.folder, 'supabase/migrations', `${V2}_by_hand.sql`));
    const { code, hint } = await project.refusal('upgrade');
    expect(code).toBe('unknown-version');
    expect(hint).toContain('supabase migration fetch');
    expect((await project.run('status')).data).toMatchObject({ unknown: [V2], current: V2 });
  });

  test("two people's versions out of order are named, and applied where that is wanted", async () => {
    const project = await started();
    await project.version(V3, 'create table public.mine (id int);', 'drop table public.mine;');
    await project.run('upgrade');
    await project.version(V2, 'create table public.theirs (id int);', 'drop table public.theirs;');
    expect(await project.refusal('upgrade')).toMatchObject({
      code: 'out-of-order',
      message: expect.stringContaining(V2),
    });
    expect((await project.run('status')).data).toMatchObject({ out_of_order: [V2] });
    await project.run('upgrade', '--include-all');
    expect(await project.list()).toMatchObject([{ remote: true }, { remote: true }, { remote: true }]);
    expect((await project.run('check')).status).toBe('done');
  });

  test('what exists already is told from what is missing; stamp marks the one', async () => {
    const project = await started('create table public.u (id int);');
    await project.sql.unsafe('create table public.u (id int)');
    const { code, hint } = await project.refusal('upgrade');
    expect(code).toBe('already-exists');
    expect(hint).toContain('stamp');
    expect((await project.run('check')).data?.drift).toMatchObject([{ object: 'table public.u' }]);
    await project.run('stamp', V2);
    expect((await project.run('check')).status).toBe('done');
    expect(await project.list()).toMatchObject([{ remote: true }, { remote: true }]);
    await project.version(V3, '-- A view.\ncreate view public.w as\nselect id,\n  nosuch\nfrom public.u;');
    expect(await project.refusal('upgrade')).toMatchObject({
      code: 'missing-object',
      message: expect.stringContaining(`${V3}_by_hand.sql:4: column "nosuch"`),
    });
    await project.run('stamp', '0');
    expect(await current(project)).toBe(null);
  });

  test('versions without a way back, and versions that there are not, are refused by name', async () => {
    const project = await started('create table public.u (id int);');
    await project.run('upgrade');
    expect(await project.refusal('downgrade', V1)).toMatchObject({
      code: 'no-way-back',
      hint: expect.stringContaining(`ways-back/${V2}_by_hand.sql`),
    });
    expect(await project.refusal('upgrade', '2030')).toMatchObject({ code: 'no-version' });
    expect(await project.refusal('stamp', '2030')).toMatchObject({ code: 'no-version' });
    expect((await project.run('history')).data?.versions).toMatchObject([
      { way_back: true },
      { way_back: false },
    ]);
  });
});
