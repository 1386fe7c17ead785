create or replace function imago.sync_fill(sync imago.plan_sync)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  setting constant text := 'imago.' || imago.fill_function(sync.plan, sync.position);
  filled constant text := 'n.' || quote_ident(sync.fills) || ' is not null';
  others constant text := format(' and not exists (select from unnest($1) k where k = %s)', imago.row_key('n', sync.relation));
begin
  if not imago.is_fillable(sync) then
    return '';
  end if;
  return format(
    'if tg_op = ''INSERT'' then
       imago_fill := current_setting(%1$L, true);
       imago_state := set_config(%1$L, coalesce(substr(imago_fill, 1 + nullif(strpos(imago_fill, ''|''), 0)), ''''), true);
       if left(imago_fill, 1) in (''K'', ''S'') then
         begin
           if left(imago_fill, 2) in (''K0'', ''S0'') then
             %2$s;
           else
             imago_entities := imago.unfilled_keys(%1$L, imago_fill);
             execute %3$L using imago_entities;
           end if;
         exception when others or assert_failure then
           get stacked diagnostics imago_state = returned_sqlstate, imago_constraint = constraint_name, imago_table = table_name,
             imago_context = pg_exception_context;
           begin
             execute %4$L using coalesce(imago_entities, ''{}'');
           exception when others or assert_failure then
             null;
           end;
           execute imago.entities_query(%5$L, %6$s, tg_op) into imago_entities;
           -- Not again, whatever it was.
           if imago.handle_failed_sync(%5$L, %6$s, imago_entities, imago_state, imago_constraint, imago_table, imago_context, ''-infinity'') = ''raise'' then
             raise;
           end if;
         end;
         imago_entities := null;
         if not exists (select from imago_new n where %7$s) then
           return null;
         end if;
       end if;
     end if;',
    setting, imago.fill_journal(sync, filled), imago.fill_journal(sync, filled || others),
    format('update %1$s t set %2$I = null from imago_new n where %3$s and %4$s', sync.relation, sync.fills,
      imago.each_column('t.%2$I = n.%2$I', sync.relation, imago.primary_key(sync.relation), ' and '), filled || others),
    sync.plan, sync.position, format('n.%I is null', sync.fills));
end
$$;
comment on function imago.sync_fill(imago.plan_sync) is 'PL/pgSQL of the trigger of a sync: journals new rows that were filled before they were written. Where that fails they are emptied, and count as a sync that failed. Empty where the sync fills nothing.';
