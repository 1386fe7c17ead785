/** What a dry run tells of the app's triggers: how often each fires, and which call to the outside. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { createTally } from '../support/tally.ts';

const ITEMS = 20;
/** Of them, those whose rows come into the first partition. */
const LOW = 6;

let db: TestDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  await createTally(
    db.sql,
    'integer',
    Array.from({ length: ITEMS }, (_, i) => i + 1),
    { body: 'insert into public.made (id, item) select k, k from unnest(keys) k;' },
  );
  await db.sql.unsafe(`
    create table public.made (id integer primary key, item integer) partition by range (id);
    create table public.made_low partition of public.made for values from (minvalue) to (${LOW + 1});
    create table public.made_high partition of public.made for values from (${LOW + 1}) to (maxvalue);
    insert into imago.plan_write (plan, position, relation, entity_column, inserts) values ('tally', 2, 'public.made', 'item', true);
    create extension pg_net;
    create table public.audit (id bigint generated always as identity, what text);
    create table public.counted (kind text primary key, n integer not null default 0);
    create function public.count_it() returns trigger language plpgsql as $$
      begin
        insert into public.counted as c values (tg_name, 1) on conflict (kind) do update set n = c.n + 1;
        return null;
      end $$;
    create function public."Send"(text) returns void language sql as $$ select pg_notify('items', $1) $$;
    create function public.tell() returns trigger language plpgsql as $$
      begin
        if imago.in_batch() then return null; end if;
        perform public."Send"(new.id::text);
        return null;
      end $$;
    create function public.note() returns trigger language plpgsql as $$
      begin insert into public.audit (what) select 'row ' || k from generate_series(1, 3) k; return null; end $$;
    create trigger webhook after update on public.items for each row
      execute function supabase_functions.http_request('http://127.0.0.1:9/', 'POST', '{}', '{}', '1000');
    create trigger even after update on public.items for each row
      when (new.done and not old.done and new.id % 2 = 0 and pg_trigger_depth() = 0) execute function public.tell();
    create trigger counted_even after update on public.items for each row
      when (new.done and not old.done and new.id % 2 = 0 and pg_trigger_depth() = 0) execute function public.count_it();
    create trigger labelled after update of label on public.items for each row execute function public.tell();
    create trigger finished after update of done on public.items for each row execute function public.count_it();
    create trigger none after insert or delete on public.items for each row execute function public.tell();
    create trigger swept after update on public.items for each statement execute function public.note();
    create trigger counted_statements after update on public.items for each statement execute function public.count_it();
    create trigger off after update on public.items for each row execute function public.tell();
    alter table public.items disable trigger off;
    create function public.broadcast() returns trigger language plpgsql as $$
      begin perform realtime.send('{}', 'done', 'items', false); return null; end $$;
    create trigger broadcast after update on public.items for each row execute function public.broadcast();
    create trigger on_all after insert on public.made for each row execute function public.tell();
    create trigger on_low after insert on public.made_low for each row execute function public.tell();
    create trigger noted after insert on public.audit for each row execute function public.count_it();`);
});
afterAll(() => db.drop());

test('names each trigger that fired, how often, and by what it calls to the outside', async () => {
  const dry = await call(db.sql, 'dry_run_migration', { plan: 'tally', mode: 'full' });
  expect(dry).toMatchObject({ migrated: ITEMS, undeclared: [] });
  const of = (trigger: string) => dry.triggers.find((one: Answer) => one.trigger === trigger);
  expect(dry.triggers.map(({ trigger }: Answer) => trigger)).toEqual([
    'noted',
    'broadcast',
    'counted_even',
    'counted_statements',
    'even',
    'finished',
    'swept',
    'webhook',
    'on_all',
    'on_low',
  ]);
  expect(of('webhook')).toEqual({
    object: 'public.items',
    trigger: 'webhook',
    routine: 'supabase_functions.http_request',
    event: 'update',
    level: 'row',
    fired: ITEMS,
    is_most: false,
    estimate: ITEMS,
    calls: ['supabase_functions.http_request'],
    asks_in_batch: false,
  });
  expect(of('even')).toMatchObject({
    fired: ITEMS / 2,
    is_most: false,
    calls: ['pg_notify'],
    asks_in_batch: true,
  });
  expect(of('broadcast')).toMatchObject({ fired: ITEMS, calls: ['realtime.send'] });
  expect(of('finished')).toMatchObject({ fired: ITEMS, is_most: true, calls: [] });
  expect(of('swept')).toMatchObject({ level: 'statement', is_most: false });
  expect(of('noted')).toMatchObject({ object: 'public.audit', event: 'insert', is_most: true });
  expect(of('on_all')).toMatchObject({ object: 'public.made', fired: ITEMS, is_most: false });
  expect(of('on_low')).toMatchObject({ object: 'public.made_low', fired: LOW, is_most: true });
  expect(of('noted').fired).toBe(3 * of('swept').fired);
  expect(dry.side_effects).toContainEqual({ object: 'net.http_request_queue', rows: ITEMS });
  expect(await value(db.sql, 'select count(*)::int from net.http_request_queue')).toBe(0);

  // Of what could not be moved, and was tried in halves, nothing is left.
  await db.sql.unsafe('alter table public.items add constraint seventh check (not done or id <> 7)');
  const partly = await call(db.sql, 'dry_run_migration', { plan: 'tally', mode: 'full' });
  expect(partly).toMatchObject({ migrated: ITEMS - 1, failed: 1 });
  expect(partly.triggers.find(({ trigger }: Answer) => trigger === 'webhook')).toMatchObject({
    fired: ITEMS - 1,
  });
  await db.sql.unsafe('alter table public.items drop constraint seventh');

  // The run does what the dry run has told; it may need other statements.
  await migrateAll(db.sql, { plan: 'tally' });
  const counted = await db.sql<{ kind: string; n: number }[]>`select kind, n from public.counted`;
  const ran = Object.fromEntries(counted.map(({ kind, n }) => [kind, n]));
  expect(ran).toMatchObject({ counted_even: of('counted_even').fired, finished: of('finished').fired });
  expect(ran.noted).toBe(3 * (ran.counted_statements ?? 0));
});

test('foresees the whole run from what was tried, and nothing where a stage was not', async () => {
  const fired = { object: 'public.users', trigger: 'notify', routine: 'public.notify', event: 'update' };
  const tried = [
    {
      stage: 1,
      triggers: [
        {
          ...fired,
          level: 'row',
          fired: 300,
          is_most: false,
          calls: ['net.http_post'],
          asks_in_batch: false,
        },
      ],
    },
    { stage: 2, triggers: [] },
  ];
  const stages = [
    { stage: 1, pending: 20_000, tried: 300, moved: 300, per_second: 900, seconds: 23 },
    { stage: 2, pending: 8, tried: 8, moved: 8, per_second: 8, seconds: 1 },
  ];
  const reports = async (last: Answer) =>
    value<Answer[]>(db.sql, 'select imago.trigger_reports($1, $2)', [tried, [stages[0], last]]);
  expect(await reports(stages[1] as Answer)).toEqual([
    {
      ...fired,
      level: 'row',
      fired: 300,
      is_most: false,
      estimate: 20_000,
      calls: ['net.http_post'],
      asks_in_batch: false,
    },
  ]);
  expect(await reports({ ...stages[1], tried: 0, moved: 0, per_second: null, seconds: null })).toMatchObject([
    { fired: 300, estimate: null },
  ]);
});
