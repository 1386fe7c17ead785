create or replace function imago.count_journaled(plan imago.plan, keys anyarray, of_rows boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  result jsonb := '{}';
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    continue when of_rows and not (write.inserts or write.deletes);
    result := result || jsonb_build_object(write.relation, (imago.go_back(write, 'size', keys)).rows);
  end loop;
  return result;
end
$$;
comment on function imago.count_journaled(imago.plan, anyarray, boolean) is 'Rows of the journal of these entities, by relation. of_rows: only where the plan inserts or deletes; those of others are counted as they are read.';
