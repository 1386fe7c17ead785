create or replace function imago.gone_entities(staged imago.plan, estimated boolean)
returns bigint
language plpgsql
-- As planned_rows, which it calls.
volatile
set search_path = ''
as $$
declare
  write imago.plan_write := imago.deleting_write(staged);
  amount bigint;
begin
  if write.id is null then
    return 0;
  elsif estimated then
    return round(imago.planned_rows(format('imago_undo.%I d where d.op = ''d''', write.undo_table)));
  end if;
  execute format(
    'select count(distinct d.entity) from imago_undo.%I d where d.op = ''d'' and not exists (select from %s s where %s)',
    write.undo_table, staged.source, imago.same_key(staged, 's', 'd.entity::' || staged.key_type))
  into amount;
  return amount;
end
$$;
comment on function imago.gone_entities(imago.plan, boolean) is 'Entities of a stage that the plan has deleted, as the journal knows them, counted or estimated.';
