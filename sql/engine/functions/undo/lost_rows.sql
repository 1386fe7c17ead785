create or replace function imago.lost_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason_kind text, referenced_by text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    return query execute format(
      'select distinct j.entity::text, %1$L::text, concat_ws('','', %2$s), ''rekeyed''::text, null::text
       from imago_undo.%3$I j
       where j.entity = any ($1::%4$s[]) and j.op in (''i'', ''u'')
         and exists (
           select from imago.lost_row l
           where l.plan = %5$L and l.relation = %1$L and (l.entity is null or l.entity = j.entity::text))
         and not exists (select from %6$s t where %7$s)',
      write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns),
      write.undo_table, imago.kept_type(plan), write.plan, write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
    using keys;
  end loop;
end
$$;
comment on function imago.lost_rows(imago.plan, text[]) is 'Journaled rows of these entities that are not there, and that the app may have given another key (imago.lost_row).';
