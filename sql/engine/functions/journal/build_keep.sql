create or replace function imago.build_keep(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  held text := imago.side_values(write, 'new.%4$s := old.%4$s;', ' ');
  -- The old row with what the rollback restores: fewer columns to copy than all that must stay.
  restored text := (select string_agg(format('old.%1$s := new.%1$s;', imago.quoted_name(c)), ' ') from unnest(write.columns) c);
  noted text := imago.side_values(write, 'new.%4$s := imago_note[%3$s]::%2$s;', ' ');
  partitioned boolean := (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = write.relation::pg_catalog.regclass);
begin
  -- Runs for each row, so little is asked, and of a rollback first. Security definer would cost more than the body, and is needed on a
  -- partitioned table only, where writes straight to a partition pass by the guard. What the last pass asks for is asked for by a
  -- setting, which a statement may set behind the guard: so that pass is proved to be ours.
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     %s
     set search_path = ''''
     as %L',
    write.undo_table || '_keep',
    case when partitioned then 'security definer' else 'security invoker' end,
    format(
      'declare
         imago_note text[];
       begin
         %1$s
         %2$s
         %3$s
         if pg_catalog.current_setting(''imago.batch'', true) like ''%%:side'' then
           if pg_catalog.pg_trigger_depth() = 1 then
             if not imago.is_batch_open(%4$L) then
               return new;
             end if;
             imago_note := pg_catalog.current_setting(''imago.note'', true);
             if pg_catalog.cardinality(imago_note) > 0 then
               %5$s
             end if;
           else
             %6$s
           end if;
         end if;
         return new;
       end',
      case when partitioned then format('if not imago.is_batch_open(%L) then return new; end if;', write.plan) else '' end,
      case when restored is null then '' else format(
        'if pg_catalog.current_setting(''imago.batch'', true) like ''%%:back'' and pg_catalog.pg_trigger_depth() = 1 then %s return old; end if;', restored) end,
      imago.kept_assignments(write), write.plan, coalesce(noted, 'null;'), coalesce(held, '')));
  execute format('comment on function imago_undo.%I() is %L', write.undo_table || '_keep',
    format('Trigger function: in batches of plan %s, keeps what triggers of the app must not move in %s.', write.plan, write.relation));
  execute format('revoke all on function imago_undo.%I() from public', write.undo_table || '_keep');
end
$$;
comment on function imago.build_keep(imago.plan_write) is 'Generates the trigger function that has the last word on a row. Batches leave updated_at-like columns as they are, rollbacks all that they do not restore, and their last pass gets what it asks for.';
