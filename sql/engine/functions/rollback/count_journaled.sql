create or replace function imago.count_journaled(plan imago.plan, keys anyarray, of_inserts boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  amount bigint;
  result jsonb := '{}';
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    continue when of_inserts and not write.inserts;
    execute format('select count(*) from imago_undo.%I j where j.entity = any %s', write.undo_table, imago.keys_sql(plan)) into amount using keys;
    result := result || jsonb_build_object(write.relation, amount);
  end loop;
  return result;
end
$$;
comment on function imago.count_journaled(imago.plan, anyarray, boolean) is 'Rows of the journal of these entities, by relation. of_inserts: only where the plan inserts; those of others are counted as they are read.';
