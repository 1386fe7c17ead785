create or replace function imago.walk_keys(relation text, key_name text, key_type text, cursor_key text, upper_key text, size integer)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  keys text[];
begin
  execute format(
    'select array_agg(k::text order by k) from (select s.%1$I as k from %2$s s where %3$s order by 1 limit $3) next',
    key_name, relation, imago.walk_range(format('s.%I', key_name), key_type, cursor_key, upper_key))
  into keys using cursor_key, upper_key, size;
  return keys;
end
$$;
comment on function imago.walk_keys(text, text, text, text, text, integer) is 'The next keys of a walk by keyset, at most size of them, in order; null at its end. relation is SQL: a table, or a query in brackets.';
