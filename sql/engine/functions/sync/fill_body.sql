create or replace function imago.fill_body(sync imago.plan_sync, sources oid[])
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Statements may lie in each other: each has its state before those of the statements that it lies in.
  return format(
    '#variable_conflict use_column
     declare
       imago_state constant text := pg_catalog.current_setting(%1$L, true);
       imago_kind text := pg_catalog.left(imago_state, 1);
     begin
       if tg_level = ''STATEMENT'' then
         begin
           imago_kind := imago.begin_fill(%2$L, %11$L, tg_relid, %3$L, %4$L, %5$L);
           -- Names are looked up here, where an error can be caught. They stay what they are while the transaction has read them.
           if imago_kind <> ''n0'' then
             perform %6$s from %7$s new where false;
           end if;
         exception when others or assert_failure then
           imago_kind := ''n0'';
         end;
         perform pg_catalog.set_config(%1$L, imago_kind || coalesce(''|'' || nullif(imago_state, ''''), ''''), true);
         return null;
       end if;
       if imago_kind is null or imago_kind in (''n'', '''') then
         return new;
       end if;
       if new.%8$I is not null then
         if imago_kind in (''k'', ''s'') then
           perform pg_catalog.set_config(%1$L, ''n'' || pg_catalog.substr(imago_state, 2), true);
         else
           perform imago.note_unfilled(%1$L, imago_state, %9$s);
         end if;
         return new;
       end if;
       if imago_kind in (''K'', ''k'') then
         new.%8$I := %6$s;
       else
         new.%8$I := %10$s;
       end if;
       if imago_kind in (''k'', ''s'') then
         perform pg_catalog.set_config(%1$L, pg_catalog.upper(imago_kind) || pg_catalog.substr(imago_state, 2), true);
       end if;
       return new;
     end',
    'imago.' || imago.fill_function(sync.plan, sync.position), sync.plan, sync.fills, sources,
    format('imago_undo.%I()', imago.sync_function(sync.plan, sync.position)),
    imago.fill_query(sync, false), sync.relation, sync.fills, imago.row_key('new', sync.relation), imago.fill_query(sync, true),
    'imago.' || imago.fill_function(sync.plan, sync.position) || '_judged');
end
$$;
comment on function imago.fill_body(imago.plan_sync, oid[]) is 'PL/pgSQL: the body of the trigger function that fills a column of new rows. Before a statement it finds out whether it may, before each row it does. It waits for nobody, and leaves a row as it is where another has its entity.';
