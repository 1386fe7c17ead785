create or replace function imago.walk_keys(relation text, key_column text, key_type text, cursor_key text, upper_key text, size integer)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  listed constant text := imago.key_list(key_column, 's');
  is_record constant boolean := cardinality(imago.key_names(key_column)) > 1;
  keys text[];
begin
  execute format(
    'select nullif(array(select %1$s from %2$s s where %3$s order by %4$s limit $3), ''{}'')',
    imago.text_of_key(key_type, imago.key_sql(key_column, key_type, 's')), relation, imago.walk_range(listed, key_type, cursor_key, upper_key, is_record), listed)
  into keys using cursor_key, upper_key, size;
  return keys;
end
$$;
comment on function imago.walk_keys(text, text, text, text, text, integer) is 'The next keys of a walk by keyset, at most size of them, in order; null at its end. relation is SQL: a table, or a query in brackets.';
