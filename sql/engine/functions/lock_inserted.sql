create or replace function imago.lock_inserted(plan imago.plan, keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.inserts and w.undo_table is not null order by w.position loop
    execute format(
      'select count(*) from (select from %1$s t where (%2$s) in
         (select %3$s from imago_undo.%4$I j where j.entity = any ($1::%5$s[]) and j.op = ''i'')
       order by %2$s for update) locked',
      write.relation,
      imago.undo_list('t.%2$I', write.relation, write.key_columns),
      imago.undo_list('j.key_%1$s::%3$s', write.relation, write.key_columns),
      write.undo_table, plan.key_type)
    using keys;
  end loop;
end
$$;
comment on function imago.lock_inserted(imago.plan, text[]) is 'Locks the rows that are to be removed, in key order: whoever is adding a reference to one is waited for.';
