create or replace function imago.begin_fill(plan_name text, judged text, relation oid, name text, sources oid[], routine text)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  found_state record;
begin
  -- One query: in a transaction of its own, as most writes of an app are, each expression is prepared anew.
  select
    case when f.is_moved then 'k0' else 's0' end as state,
    f.depending,
    f.depending = current_setting(judged, true) as is_judged
    into found_state
  from (
    select
      coalesce((select r.direction = 'forward' and r.state = 'succeeded' from imago.run r
                where r.plan = plan_name and r.validation is null order by r.id desc limit 1), false)
        and not exists (select from imago.run r where r.plan = plan_name and r.state in ('pending', 'running', 'paused')) as is_moved,
      concat_ws(' ', a.atttypid, (
        select string_agg(d.objid::text, ' ') from pg_catalog.pg_depend d
        where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = relation and d.refobjsubid = a.attnum)) as depending
    from pg_catalog.pg_attribute a
    where a.attrelid = relation and a.attname = name
      -- What a batch inserts is the batch's. In other isolation levels a row that somebody has changed since would fail the statement.
      and coalesce(current_setting('imago.batch', true), '') = '' and current_setting('transaction_isolation') = 'read committed'
      and exists (
        select from imago.run r where r.plan = plan_name and r.direction = 'forward' and r.validation is null and r.started_at is not null)
      -- Whether what is filled will be journaled.
      and exists (
        select from pg_catalog.pg_trigger g
        where g.tgrelid = relation and g.tgfoid = pg_catalog.to_regprocedure(routine) and g.tgtype & 4 = 4 and g.tgenabled in ('O', 'A'))
    offset 0
  ) f;
  -- What depends on the column is judged once a session.
  if found_state.is_judged then
    return found_state.state;
  elsif found_state.state is null or not imago.may_fill(relation, name, sources) then
    return 'n0';
  end if;
  perform set_config(judged, found_state.depending, false);
  return found_state.state;
end
$$;
comment on function imago.begin_fill(text, text, oid, text, oid[], text) is 'Whether new rows of a statement may be filled: n, no; k or s, holding entities for key share or for share. Capital letters say that some were; the number, how many of the others note_unfilled has noted.';
