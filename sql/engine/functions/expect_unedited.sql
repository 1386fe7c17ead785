create or replace function imago.expect_unedited(plan imago.plan, keys text[])
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write;
  edited boolean;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.inserts and w.undo_table is not null loop
    execute format(
      'select exists (
         select from imago_undo.%1$I j join %2$s t on %3$s
         where j.entity = any ($1::%4$s[]) and j.op = ''i'' and j.print is distinct from %5$s)',
      write.undo_table, write.relation, imago.undo_list('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
      plan.key_type, imago.undo_print('t', write.inserted_columns))
    into edited using keys;
    if edited then
      raise exception using errcode = '40IM1', message = 'an inserted row was edited', table = write.relation;
    end if;
  end loop;
end
$$;
comment on function imago.expect_unedited(imago.plan, text[]) is 'Raises 40IM1 when a row that was inserted for these entities was edited since.';
