create or replace function imago.text_of_key(key_type text, key text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  parts text;
  is_rewritten boolean;
begin
  if imago.key_fields(key_type) is not null then
    -- What a date or a moment is written like is up to the session; in JSON it is not. Equal numbers have one text: 1.0 is 1.00.
    select string_agg(case
        when f.type like 'timestamp%with time zone' then format('(replace(pg_catalog.to_jsonb(%1$s at time zone ''UTC'') #>> ''{}'', ''T'', '' '') || case when isfinite(%1$s) then ''+00'' else '''' end)', f.value)
        when f.is_time then format('replace(pg_catalog.to_jsonb(%s) #>> ''{}'', ''T'', '' '')', f.value)
        when f.is_numeric then format('pg_catalog.trim_scale(%s)', f.value)
        else f.value end, ', ' order by f.attnum), bool_or(f.is_time or f.is_numeric)
      into parts, is_rewritten
    from (
      select a.attnum, y.type, y.type ~ '^(date|timestamp)' as is_time, y.type like 'numeric%' as is_numeric,
        format('(%s).%I', key, a.attname) as value
      from pg_catalog.pg_type t
      join pg_catalog.pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
      cross join lateral (select pg_catalog.format_type(a.atttypid, a.atttypmod) as type) y
      where t.oid = pg_catalog.to_regtype(key_type)) f;
    if is_rewritten then
      return format('case when (%1$s) is not null then row(%2$s)::text else (%1$s)::text end', key, parts);
    end if;
  end if;
  return format('(%s)::text', key);
end
$$;
comment on function imago.text_of_key(text, text) is 'SQL: the one text of equal keys in every session, with moments in UTC.';
