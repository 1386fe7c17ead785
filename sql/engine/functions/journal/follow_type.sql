create or replace function imago.follow_type(write imago.plan_write, name text, was text)
returns text
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
  kept text := (select c.kept from imago.journal_columns(write.relation, array[name]) c);
  wanted text := (select c.type from imago.journal_columns(write.relation, array[name]) c);
  slot integer := array_position(write.inserted_columns, name);
  place text;
  amount bigint;
begin
  foreach place in array array(
    select p from (
      select 'key_' || array_position(write.key_columns, name)
      union all select k || array_position(write.columns, name) from unnest(array['before_', 'after_']) k
      union all select 'old_' || array_position(write.deleted_columns, name)
    ) u(p) where p is not null)
  loop
    -- What comes out must be what went in: a cast may cut off.
    execute format(
      'select count(*) from imago_undo.%1$I where %2$I is not null and %2$I::text is distinct from %2$I::text::%3$s::%4$s::text',
      write.undo_table, place, wanted, (
        select pg_catalog.format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a
        where a.attrelid = format('imago_undo.%I', write.undo_table)::pg_catalog.regclass and a.attname = place))
    into amount;
    if amount > 0 then
      return format('%s journaled values are not the same as %s', amount, wanted);
    end if;
    execute format('alter table imago_undo.%1$I alter column %2$I type %3$s using %2$I::text::%3$s', write.undo_table, place, kept);
  end loop;
  if slot is not null then
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = pg_catalog.hashtext(t.%3$I::text collate "C") from %4$s t
       where j.op = ''i'' and %5$s and j.print[%2$s] is not distinct from pg_catalog.hashtext(t.%3$I::%6$s::text collate "C")
         and t.%3$I::text is distinct from t.%3$I::%6$s::text',
      write.undo_table, slot, name, write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), was);
  end if;
  return null;
exception when data_exception or syntax_error_or_access_rule_violation or integrity_constraint_violation then
  return format('journaled values cannot be cast to %s', wanted);
end
$$;
comment on function imago.follow_type(imago.plan_write, text, text) is 'Has the journal of a declared write follow a column whose type has changed. Every journaled value has to cast to the new one and back; else it says what does not.';
