create or replace function imago.fires_query(relation oid, event text, keys text[], declared text[])
returns text
language sql
stable
set search_path = ''
as $$
  -- Of an update of certain columns the list of the statement counts, which nobody tells. So: one that the plan declares, or a change.
  select 'select jsonb_build_object(' || string_agg(format('%L, (select count(*) from %s where %s and %s)',
    t.oid || ' ' || lower(event),
    case when t.tgtype & 1 = 1 then rows.list else '(select) one' end,
    -- Here it is one trigger deeper than where the condition is asked.
    coalesce(replace(substring(pg_catalog.pg_get_triggerdef(t.oid) from ' WHEN \((.*)\) EXECUTE (?:FUNCTION|PROCEDURE) '),
      'pg_trigger_depth()', '(pg_trigger_depth() - 1)'), 'true'),
    case
      when watched.changed is null then 'true'
      when t.tgtype & 1 = 1 then watched.changed
      else format('exists (select from %s where %s)', rows.list, watched.changed) end), ', ' order by t.oid) || ')'
  from pg_catalog.pg_trigger t
  cross join lateral (
    select case event
      when 'INSERT' then 'new_rows new'
      when 'DELETE' then 'old_rows old'
      else 'old_rows old join new_rows new on ' || (select string_agg(format('old.%1$I = new.%1$I', k), ' and ') from unnest(keys) k) end as list) rows
  cross join lateral (
    select case when event = 'UPDATE' and count(*) > 0 and not bool_or(a.attname::text = any (declared))
      then format('not (row(%s)::record operator(pg_catalog.*=) row(%s)::record)',
        string_agg(format('old.%I', a.attname), ', ' order by a.attnum), string_agg(format('new.%I', a.attname), ', ' order by a.attnum)) end as changed
    from pg_catalog.pg_attribute a
    where a.attrelid = t.tgrelid and a.attnum = any (t.tgattr)) watched
  where t.tgrelid = relation and not t.tgisinternal and t.tgenabled in ('O', 'A') and not imago.is_ours(t.tgfoid)
    and t.tgtype & (case event when 'INSERT' then 4 when 'UPDATE' then 16 else 8 end) > 0
$$;
comment on function imago.fires_query(oid, text, text[], text[]) is 'SQL: how often each trigger of the app fires for a statement of which old_rows and new_rows are left. Null where there is none.';
