create or replace function imago.keys_match(parts text, key_type text, keys text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  fields constant text[] := imago.key_fields(key_type);
begin
  if fields is null then
    return format('%s = any %s', parts, keys);
  end if;
  return format('(%s) in (select %s from unnest%s k)', parts, (select string_agg(format('k.%I', f), ', ' order by n) from unnest(fields) with ordinality u(f, n)), keys);
end
$$;
comment on function imago.keys_match(text, text, text) is 'SQL: whether key_list or key_parts are those of one of several keys, an array in parentheses.';
