create or replace function imago.sync_body(sync imago.plan_sync, plan imago.plan, ending text)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  entities constant text :=
    'select coalesce(array_agg(distinct k), ''{}'') from (
       select %1$s as k from new_rows n union all select %2$s from old_rows o) named where k is not null';
  looks text := '';
  calls text := '';
  event text;
  follow text := '';
  query text;
begin
  foreach event in array sync.events loop
    looks := looks || format(' when %L then select count(*) into imago_rows from %s; %s', upper(event),
      case event when 'delete' then 'imago_old' else 'imago_new' end,
      imago.trigger_query('%s', '{}', 'into imago_entities', imago.sync_query(sync, event, format(entities, imago.sync_entity(sync, 'n', sync.entity_column), imago.sync_entity(sync, 'o', sync.entity_column)))));
    calls := calls || format(' when %L then %s', upper(event),
      imago.trigger_query('%s', '{}', ending, imago.sync_query(sync, event, sync.statement)));
  end loop;
  if 'update' = any (sync.events) then
    foreach query in array imago.sync_journal_updates(sync) loop
      follow := follow || format('execute %L; ', query);
    end loop;
    follow := case when follow <> '' then format('if tg_op = ''UPDATE'' then %s end if;', follow) else '' end;
  end if;

  return format(
    '#variable_conflict use_column
     declare
       imago_rows bigint;
       imago_row record;
       imago_entities text[];
       imago_batch bigint;
       imago_uncaptured jsonb;
       imago_outer text;
       imago_outermost text;
       imago_depth text;
       imago_began timestamptz;
       imago_state text;
       imago_constraint text;
       imago_table text;
       imago_context text;
       imago_fill text;
       imago_unseen text;
       imago_changed boolean;
       imago_moves jsonb;
     begin
       imago_outer := coalesce(current_setting(''imago.batch'', true), '''');
       if imago_outer <> '''' and imago.is_batch_open(%3$L) then
         return null;
       end if;
       %8$s
       imago_began := clock_timestamp();
       loop
         begin
           if imago_entities is null then
             case tg_op %1$s end case;
             if imago_entities = ''{}'' then
               return null;
             end if;
           end if;
           %2$s
           %9$s
           imago_batch := imago.begin_sync_batch(%3$L, %4$s, imago_entities);
           if imago_batch is null then
             return null;
           end if;
           perform set_config(''lock_timeout'', ''100'', true);
           imago_depth := coalesce(current_setting(''imago.sync_depth'', true), '''');
           perform set_config(''imago.sync_depth'', pg_trigger_depth()::text, true);
           imago_uncaptured := imago.uncaptured_rows(%3$L);
           -- Within a batch of another plan imago.in_batch() stays true.
           imago_outermost := coalesce(current_setting(''imago.outer'', true), '''');
           perform set_config(''imago.outer'', coalesce(nullif(imago_outermost, ''''), imago_outer), true);
           perform set_config(''imago.batch'', %3$L || '':'' || imago_batch, true);
           perform set_config(''search_path'', imago.app_search_path(), true);
           case tg_op %5$s end case;
           perform pg_catalog.set_config(''search_path'', '''', true);
           perform set_config(''imago.batch'', imago_outer, true);
           perform set_config(''imago.outer'', imago_outermost, true);
           perform set_config(''imago.sync_depth'', imago_depth, true);
           %6$s
           perform imago.end_sync_batch(imago_batch, %3$L, %4$s, imago_entities, imago_uncaptured);
           return null;
         exception when others or assert_failure then
           perform set_config(''lock_timeout'', %7$L, true);
           get stacked diagnostics imago_state = returned_sqlstate, imago_constraint = constraint_name, imago_table = table_name,
             imago_context = pg_exception_context;
           if imago_entities is null then
             -- What the sync looks at is called otherwise by now.
             begin
               execute imago.entities_query(%3$L, %4$s, tg_op) into imago_entities;
             exception when others or assert_failure then
               imago_entities := ''{}'';
             end;
           end if;
           case imago.handle_failed_sync(%3$L, %4$s, imago_entities, imago_state, imago_constraint, imago_table, imago_context, imago_began)
             when ''raise'' then raise;
             when ''again'' then null;
             else
               %10$s
               return null;
           end case;
         end;
       end loop;
     end',
    looks, imago.sync_lock(sync, plan, true), sync.plan, sync.position, calls, follow,
    imago.setting_number('lock_timeout_ms')::text,
    imago.sync_fill(sync) || imago.sync_early(sync, plan) ||
      -- Most updates change nothing that counts. One that does, and whatever goes wrong, is looked at again.
      case when 'update' = any (sync.events) then format(
        'if tg_op = ''UPDATE'' then
           %s
           if not imago_changed then
             return null;
           end if;
         end if;', imago.rows_changed(sync.relation, coalesce(sync.columns, imago.stored_columns(sync.relation)))) else '' end,
    -- Before the first run nobody was moved, and who was not has nothing to fill in.
    case when sync.fills is not null then format(
      'if tg_op = ''INSERT'' then
         if not exists (select from imago.run r where r.plan = %L and r.direction = ''forward'' and r.started_at is not null) then
           return null;
         elsif not (%s) then
           return null;
         end if;
       end if;',
      sync.plan, imago.sync_query(sync, 'insert', format('select exists (select from new_rows new where (%s) is not null)', rtrim(sync.fill, E' ;\n\t')))) end,
    -- The sync is not why: the trigger that follows keys and owners does not fire.
    case when 'update' = any (sync.events) then format(
      'if tg_op = ''UPDATE'' and imago_state = ''IM060'' then
         begin
           imago_unseen := imago.unseen_moves_query(%1$L, tg_relid);
           if imago_unseen is not null then
             execute imago_unseen into imago_moves;
             perform imago.follow_unseen(%1$L, tg_relid, imago_moves);
           end if;
         exception when others or assert_failure then
           perform imago.lose_rows(
             %1$L, imago.name_of(coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid)), null, sqlstate);
         end;
       end if;', sync.plan) else '' end);
end
$$;
comment on function imago.sync_body(imago.plan_sync, imago.plan, text) is 'PL/pgSQL: the body of the trigger function of one sync, with its statement written out. Waits are as short as those of batches, below deadlock_timeout, and repeated: the app is never the victim of a deadlock with one.';
