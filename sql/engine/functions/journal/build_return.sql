create or replace function imago.build_return(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  names text[] := imago.stored_columns(write.relation);
  noted text := (select string_agg(format('new.%s::text', imago.quoted_name(c.name)), ', ' order by c.ordinal) from imago.journal_columns(write.relation, names) c);
  given text := (
    select string_agg(format('new.%s := imago_given[%s]::%s;', imago.quoted_name(c.name), c.ordinal, c.type), ' ' order by c.ordinal)
    from imago.journal_columns(write.relation, names) c);
  part record;
begin
  -- What triggers of the app insert in their turn is theirs.
  for part in
    select * from (values
      ('_give', format('begin if pg_catalog.pg_trigger_depth() = 1 then perform pg_catalog.set_config(''imago.given'', array[%s]::text, true); end if; return new; end', noted),
        'notes a row that comes back, before triggers of the app see it'),
      ('_same', format(
        'declare
           imago_given text[];
         begin
           if pg_catalog.pg_trigger_depth() = 1 then
             imago_given := pg_catalog.current_setting(''imago.given'', true);
             %s
           end if;
           return new;
         end', given),
        'has the last word on a row that comes back: it is what it was')) v(suffix, body, purpose)
  loop
    execute format(
      'create or replace function imago_undo.%I()
       returns trigger
       language plpgsql
       volatile
       set search_path = ''''
       %s
       as %L',
      write.undo_table || part.suffix, imago.fixed_formats(), part.body);
    execute format('comment on function imago_undo.%I() is %L', write.undo_table || part.suffix,
      format('Trigger function: in rollbacks of plan %s, %s (%s).', write.plan, part.purpose, write.relation));
    execute format('revoke all on function imago_undo.%I() from public', write.undo_table || part.suffix);
  end loop;
end
$$;
comment on function imago.build_return(imago.plan_write) is 'Generates the trigger functions that see to rows which come back. One notes a row before triggers of the app change it, the other, behind them, gives it back what it was.';
