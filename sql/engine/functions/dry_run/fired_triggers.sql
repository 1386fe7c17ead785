create or replace function imago.fired_triggers(plan_name text, written jsonb)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with counted as (
    -- In declared relations the capture triggers have asked for each statement what it fires.
    select split_part(c.key, ' ', 1)::oid as id, split_part(c.key, ' ', 2) as event, sum(c.value::bigint) as fired
    from imago.plan_write w
    cross join lateral jsonb_each_text(nullif(current_setting('imago.fires_' || w.id, true), '')::jsonb) c
    where w.plan = plan_name
    group by 1, 2
  ), written_rows as (
    select split_part(w.key, ' ', 1) as event, substr(w.key, strpos(w.key, ' ') + 1)::pg_catalog.regclass as relation, w.value::bigint as amount
    from jsonb_each_text(written) w
    where w.value::bigint > 0
  ), fired as (
    select t.oid as id, c.event, c.fired, t.tgattr::text <> '' and c.event = 'update' as is_most
    from counted c
    join pg_catalog.pg_trigger t on t.oid = c.id
    union all
    -- Elsewhere only rows are counted, those of what was tried and taken back included.
    select t.oid, r.event, r.amount, true
    from written_rows r
    join pg_catalog.pg_trigger t on t.tgrelid = r.relation and t.tgtype & (case r.event when 'insert' then 4 when 'update' then 16 else 8 end) > 0
    where not t.tgisinternal and t.tgenabled in ('O', 'A') and not imago.is_ours(t.tgfoid)
      and not exists (
        select from counted c
        join pg_catalog.pg_trigger o on o.oid = c.id
        where c.event = r.event
          and (o.oid = t.oid or t.tgparentid <> 0 and o.tgname = t.tgname and o.tgrelid = pg_catalog.pg_partition_root(t.tgrelid)))
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'object', t.tgrelid::pg_catalog.regclass, 'trigger', t.tgname, 'routine', t.tgfoid::pg_catalog.regproc,
    'event', f.event, 'level', case when t.tgtype & 1 = 1 then 'row' else 'statement' end,
    'fired', f.fired, 'is_most', f.is_most, 'calls', to_jsonb(o.calls), 'asks_in_batch', o.asks) order by t.tgrelid::pg_catalog.regclass::text, t.tgname, f.event), '[]')
  from fired f
  join pg_catalog.pg_trigger t on t.oid = f.id
  cross join lateral (
    select imago.outside_calls(t.tgfoid) as calls,
      exists (select from imago.reached_functions(t.tgfoid) r where r.source ~* '\mimago"?\s*\.\s*"?in_batch\M') as asks offset 0) o
  where f.fired > 0
$$;
comment on function imago.fired_triggers(text, jsonb) is 'Which triggers of the app a stage of a rehearsal has fired, and how often; and by what they call to the outside.';
