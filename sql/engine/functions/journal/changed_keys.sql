create or replace function imago.changed_keys(moves jsonb, names text[], key_column text, record_type text default null, out was text[], out becomes text[])
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
begin
  execute format(
    'select coalesce(array_agg(c.was), ''{}''), coalesce(array_agg(c.becomes), ''{}'')
     from (select distinct %s as was, %s as becomes from jsonb_array_elements($1) m) c
     where c.was <> c.becomes',
    imago.moved_key(names, key_column, record_type, 'm -> 0'), imago.moved_key(names, key_column, record_type, 'm -> 1'))
  into was, becomes using moves;
end
$$;
comment on function imago.changed_keys(jsonb, text[], text, text, out text[], out text[]) is 'Of rows that moves_query has found: keys that have changed, each once, with what they have become. names: of the columns that it looked at.';
