create or replace function imago.find_taken(run imago.run, plan imago.plan, batch bigint, keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  query text;
  detail text;
  taken jsonb;
begin
  for round in 1 .. 2 loop
    begin
      perform imago.open_back(plan, batch);
      -- What they would collide with may be ours, and go by itself.
      perform imago.restore_rows(run, plan, keys, true, false);
      perform imago.remove_rows(plan, keys, true, true);
      if round = 2 then
        perform imago.raise_taken(imago.find_kept_away(plan, taken, keys));
      end if;
      query := imago.return_query(plan, keys, true);
      if query is null then
        perform imago.raise_taken('[]');
      end if;
      perform set_config('search_path', imago.app_search_path(), true);
      execute query using keys;
    exception when sqlstate 'IMDRY' then
      get stacked diagnostics detail = pg_exception_detail;
    end;
    exit when detail = '[]';
    if round = 2 then
      perform imago.raise_kept(detail::jsonb);
    end if;
    taken := detail;
    exit when not exists (select from imago.stage_writes(plan) w where w.deletes and imago.has_insert_trigger(w.relation));
  end loop;
  return coalesce(taken, '[]');
end
$$;
comment on function imago.find_taken(imago.run, imago.plan, bigint, text[]) is 'Deleted rows of these entities that cannot come back, for a row of the app is in the way. By a primary key, a unique index or an exclusion constraint; it is tried, and taken back. Raises IM061 for those that a trigger of the app keeps away.';
