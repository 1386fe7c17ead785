create or replace function imago.leave_rows(run imago.run, plan imago.plan, rows jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  gone record;
begin
  for gone in
    select distinct r ->> 'relation' as relation, r ->> 'entity' as entity, r ->> 'row_key' as row_key from jsonb_array_elements(rows) r
  loop
    select w.* into strict write from imago.stage_writes(plan) w where w.relation = gone.relation;
    execute format('delete from imago_undo.%I j where j.entity = $1::%s and j.op = ''d'' and concat_ws('','', %s) = $2',
      write.undo_table, imago.kept_type(plan), imago.each_column('j.key_%1$s', write.relation, write.key_columns))
    using gone.entity, gone.row_key;
    perform imago.write_log(run.plan, run.id, 'warning', 'left_behind', jsonb_build_object('relation', gone.relation, 'row_key', gone.row_key), gone.entity);
  end loop;
end
$$;
comment on function imago.leave_rows(imago.run, imago.plan, jsonb) is 'Gives deleted rows (relation, entity, row_key) up: they do not come back. The log names them.';
