create or replace function imago.walk_range(key_name text, key_type text, cursor_key text, upper_key text)
returns text
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  -- A bound that is null drops out of the text, so that the planner sees one plain index range.
  return coalesce(nullif(concat_ws(' and ',
    case when cursor_key is not null then format('%s > $1::%s', key_name, key_type) end,
    case when upper_key is not null then format('%s <= $2::%s', key_name, key_type) end), ''), 'true');
end
$$;
comment on function imago.walk_range(text, text, text, text) is 'SQL condition: a key lies behind the cursor $1 and not behind the upper bound $2, each if there is one. key_name is SQL.';
