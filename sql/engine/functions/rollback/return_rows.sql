create or replace function imago.return_rows(plan imago.plan, keys anyarray)
returns jsonb
language plpgsql
volatile
set search_path = ''
-- By key, each of them, as in restore_rows.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  query text := imago.return_query(plan, keys, false);
  answers jsonb;
begin
  if query is null then
    return '{}';
  end if;
  perform set_config('search_path', imago.app_search_path(), true);
  execute query into answers using keys;
  perform pg_catalog.set_config('search_path', '', true);
  if exists (select from jsonb_array_elements(answers) a where a -> 'amount' <> a -> 'wanted') then
    perform imago.raise_kept(imago.find_absent(plan, keys::text[]));
  end if;
  return (
    select jsonb_object_agg(r.relation || ':returned', r.amount)
    from (select a ->> 'relation' as relation, sum((a ->> 'amount')::bigint) as amount from jsonb_array_elements(answers) a group by 1) r);
end
$$;
comment on function imago.return_rows(imago.plan, anyarray) is 'Inserts the deleted rows of these entities again, with their keys and all that they held; counts by relation. Raises IM061 where a trigger of the app keeps one away.';
