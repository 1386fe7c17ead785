create or replace function imago.piece_end(plan_check imago.plan_check, cursor_key text, size integer, out last_key text, out rows bigint)
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set enable_indexonlyscan = on
set max_parallel_workers_per_gather = 0
as $$
declare
  key constant record := imago.key_of_check(plan_check);
  listed constant text := imago.key_list(key.key_column, 's');
  rest text := imago.walk_range(listed, key.type, cursor_key, null, cardinality(imago.key_names(key.key_column)) > 1);
begin
  if size is not null then
    execute format(
      'select %s from %s s where %s order by %s offset $2 limit 1',
      imago.text_of_key(key.type, imago.key_sql(key.key_column, key.type, 's')), plan_check.source, rest, listed)
    into last_key using cursor_key, size - 1;
    rows := size;
  end if;
  if last_key is null then
    perform set_config('enable_seqscan', case when size is null then 'on' else 'off' end, true);
    -- After a migration hardly any page is known to be all visible: an index alone does not do, and the heap is read row by row.
    perform set_config('enable_indexonlyscan', case when size is null then 'off' else 'on' end, true);
    execute format('select count(*) from %s s where %s', plan_check.source, rest) into rows using cursor_key;
  end if;
end
$$;
comment on function imago.piece_end(imago.plan_check, text, integer, out text, out bigint) is 'The last key (null: none is left after it) and the rows of a check''s next piece of its source. The piece is all that is left where size is null.';
