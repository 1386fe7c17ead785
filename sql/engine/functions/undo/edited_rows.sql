create or replace function imago.edited_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason_kind text, referenced_by text)
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
  key_join text;
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    key_join := imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and ');
    if write.columns <> '{}' then
      return query execute format(
        'select j.entity::text, %1$L::text, concat_ws('','', %2$s), ''changed''::text, null::text
         from (%3$s) j join %4$s t on %5$s where (%6$s) and (%7$s)',
        write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns),
        (select u.query from imago.undo_rows(write, plan, keys) u), imago.with_gone(write, format('d.entity = any ($1::%s[])', imago.kept_type(plan))), key_join,
        imago.each_column('t.%2$I::%5$s is distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' or '),
        imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or '))
      using keys;
    end if;
    if write.inserts then
      return query execute format(
        'select j.entity::text, %1$L::text, concat_ws('','', %2$s), ''edited''::text, null::text
         from imago_undo.%3$I j join %4$s t on %5$s
         where j.entity = any ($1::%6$s[]) and j.op = ''i'' and %8$s is distinct from %7$s',
        write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns),
        write.undo_table, write.relation, key_join, imago.kept_type(plan), imago.fingerprint('t', write.inserted_columns), imago.journaled_print(write, 'j'))
      using keys;
    end if;
  end loop;
end
$$;
comment on function imago.edited_rows(imago.plan, text[]) is 'Rows of these entities that no longer hold what Imago wrote: a declared column changed, or an inserted row was edited. Of a row that the plan has deleted since, what it held then counts.';
