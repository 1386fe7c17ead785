create or replace function imago.capture_columns(write imago.plan_write, side_changed text)
returns text
language sql
stable
set search_path = ''
as $$
  -- Rows that a batch has inserted go back by their fingerprint; those that one of the app's triggers changes in its way are the app's.
  select imago.trigger_query(
    'insert into imago_undo.%3$I (batch, entity, op, %4$s%5$s, side)
     select %1$s, %6$s, %2$s, %7$s%8$s, %9$s
     from old_rows o join new_rows n on %10$s where (%11$s)%12$s', array['imago_batch', 'imago_kind'], '',
    write.undo_table,
    imago.each_column('key_%1$s', write.relation, write.key_columns),
    concat(imago.each_column(', before_%1$s', write.relation, write.columns, ''), imago.each_column(', after_%1$s', write.relation, write.columns, '')),
    imago.owner_sql(write, 'n'),
    imago.each_column('n.%2$I::%4$s', write.relation, write.key_columns),
    concat(imago.each_column(', o.%2$I::%4$s', write.relation, write.columns, ''), imago.each_column(', n.%2$I::%4$s', write.relation, write.columns, '')),
    case when side_changed is null then 'null' else format(
      'case when %s then (select pg_catalog.jsonb_object_agg(s.name, pg_catalog.jsonb_build_array(s.was, s.is_now))
         from (values %s) s(name, was, is_now) where s.was is distinct from s.is_now) end',
      side_changed, imago.side_values(write, '(%1$L, o.%1$I::text, n.%1$I::text)')) end,
    imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '),
    concat_ws(' or ', imago.each_column('o.%2$I::%5$s is distinct from n.%2$I::%5$s', write.relation, write.columns, ' or '), side_changed),
    case when write.columns = '{}' then format(
      ' and not exists (select from imago_undo.%I i where i.entity = %s and i.op = ''i'' and %s)',
      write.undo_table, imago.owner_sql(write, 'n'),
      imago.each_column('i.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and ')) end)
  where write.columns <> '{}' or side_changed is not null
$$;
comment on function imago.capture_columns(imago.plan_write, text) is 'PL/pgSQL that journals the declared columns of updated rows. Given the condition that other columns changed, it says what these were and are. Null where there is neither.';
