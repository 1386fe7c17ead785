create or replace function imago.begin_fill(plan_name text, judged text, relation oid, name text, sources oid[], routine text)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Looked up once and not for each trigger of the table.
  sync_function constant oid := pg_catalog.to_regprocedure(routine);
  last record;
  state text := 's0';
  depending text;
begin
  -- What a batch inserts is the batch's. In other isolation levels a row that somebody has changed since would fail the statement.
  if current_setting('imago.batch', true) <> '' or current_setting('transaction_isolation') <> 'read committed' then
    return 'n0';
  end if;
  -- Small queries in the order in which most writes are done with: each expression of a large one would be prepared for every write.
  select r.direction, r.state, r.started_at into last from imago.run r where r.plan = plan_name and r.validation is null order by r.id desc limit 1;
  if not found then
    return 'n0';
  end if;
  if last.direction = 'forward' and last.state = 'succeeded' then
    if not exists (select from imago.run r where r.plan = plan_name and r.state in ('pending', 'running', 'paused')) then
      state := 'k0';
    end if;
  elsif (last.direction = 'rollback' or last.started_at is null) and not exists (
    select from imago.run r where r.plan = plan_name and r.direction = 'forward' and r.validation is null and r.started_at is not null) then
    return 'n0';
  end if;
  -- Whether what is filled will be journaled, and what depends on the column.
  select concat_ws(' ', a.atttypid, (
      select string_agg(d.objid::text, ' ') from pg_catalog.pg_depend d
      where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = relation and d.refobjsubid = a.attnum))
    into depending
  from pg_catalog.pg_trigger g
  join pg_catalog.pg_attribute a on a.attrelid = relation and a.attname = name
  where g.tgrelid = relation and g.tgfoid = sync_function and g.tgtype & 4 = 4 and g.tgenabled in ('O', 'A');
  -- It is judged once a session.
  if depending = current_setting(judged, true) then
    return state;
  elsif depending is null or not imago.may_fill(relation, name, sources) then
    return 'n0';
  end if;
  perform set_config(judged, depending, false);
  return state;
end
$$;
comment on function imago.begin_fill(text, text, oid, text, oid[], text) is 'Whether new rows of a statement may be filled: n, no; k or s, holding entities for key share or for share. Capital letters say that some were; the number, how many of the others note_unfilled has noted.';
