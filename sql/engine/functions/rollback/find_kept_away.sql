create or replace function imago.find_kept_away(plan imago.plan, taken jsonb, keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  away record;
  width integer;
  inserted bigint;
  amount bigint;
  result jsonb := '[]';
begin
  for away in
    select t - 'reason_kind' as named, t ->> 'relation' as relation, t ->> 'entity' as entity, t ->> 'row_key' as row_key
    from jsonb_array_elements(taken) t limit 100
  loop
    select w.* into strict write from imago.stage_writes(plan) w where w.relation = away.relation;
    inserted := 0;
    begin
      for width in execute format('select distinct r.width from (%s) r', imago.returning_rows(write, plan)) using keys loop
        perform set_config('search_path', imago.app_search_path(), true);
        execute format('%s and r.entity::text = $2 and concat_ws('','', %s) = $3', imago.insert_query(write, width, format('(%s)', imago.returning_rows(write, plan))),
          imago.each_column('r.key_%1$s', write.relation, write.key_columns))
        using keys, away.entity, away.row_key;
        get diagnostics amount = row_count;
        perform pg_catalog.set_config('search_path', '', true);
        inserted := inserted + amount;
      end loop;
    exception when others or assert_failure then
      inserted := 1;
    end;
    result := result || case inserted when 0 then away.named else '[]' end;
  end loop;
  return result;
end
$$;
comment on function imago.find_kept_away(imago.plan, jsonb, text[]) is 'Of deleted rows that cannot come back: those that nothing is in the way of. A trigger of the app keeps them away. At most 100 are tried.';
