create or replace function imago.forget_values(plan imago.plan, entity text, out rows jsonb, out left_rows jsonb)
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  amount bigint;
begin
  rows := '{}';
  left_rows := '{}';
  for write in select w.* from imago.stage_writes(plan) w loop
    if write.inserts and pg_catalog.to_regclass(write.relation) is not null then
      execute format(
        'select count(*) from imago_undo.%I j join %s t on %s where j.entity = $1::%s and j.op = ''i''',
        write.undo_table, write.relation, imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), imago.kept_type(plan))
      into amount using entity;
      left_rows := left_rows || case when amount > 0 then jsonb_build_object(write.relation, amount) else '{}' end;
    end if;
    execute format('delete from imago_undo.%I j where j.entity = $1::%s', write.undo_table, imago.kept_type(plan)) using entity;
    get diagnostics amount = row_count;
    rows := rows || case when amount > 0 then jsonb_build_object(write.relation, amount) else '{}' end;
  end loop;
end
$$;
comment on function imago.forget_values(imago.plan, text, out jsonb, out jsonb) is 'Deletes the journal of one entity for good. Says how many rows, by relation, and how many that the migration inserted are still in the app''s tables.';
