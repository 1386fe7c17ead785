create or replace function imago.walk_range(key_name text, key_type text, cursor_key text, upper_key text, is_record boolean default false)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  template constant text := case when is_record then '(%s) %s (%s)' else '%s %s %s' end;
begin
  -- A bound that is null drops out of the text, so that the planner sees one plain index range.
  return coalesce(nullif(concat_ws(' and ',
    case when cursor_key is not null then format(template, key_name, '>', case when is_record then imago.key_parts(key_type, '$1::' || key_type) else '$1::' || key_type end) end,
    case when upper_key is not null then format(template, key_name, '<=', case when is_record then imago.key_parts(key_type, '$2::' || key_type) else '$2::' || key_type end) end), ''), 'true');
end
$$;
comment on function imago.walk_range(text, text, text, text, boolean) is 'SQL condition: a key lies behind the cursor $1 and not behind the upper bound $2, each if there is one. key_name is SQL; is_record: it is a key_list of several columns.';
