create or replace function imago.create_capture(write imago.plan_write, event text, body text, watch text default '')
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- What a trigger of the app writes may belong to other entities than the batch's: it is marked n (nested) until settled.
  -- A sync is a trigger itself.
  nested constant text := 'pg_trigger_depth() > 1 + coalesce(nullif(current_setting(''imago.sync_depth'', true), ''''), ''0'')::integer';
  routine text := write.undo_table || '_' || event;
begin
  -- Old and new rows come in the order of the update: hashed they stay in it, sorted for a merge join they would not.
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     security definer
     set search_path = ''''
     %s
     set enable_mergejoin = off
     as %L',
    routine, imago.fixed_formats(),
    -- Columns are named with their table, so a bare name is ours, whatever the app calls its columns.
    -- The first question is the whole of it for a statement of the app's. Where this plan has a batch open, rows are counted as seen
    -- even if another plan, nested in it, writes them: the count is compared with the server's. In a rollback only what triggers of
    -- the app update is captured, to be undone (read_nested).
    format(
      '#variable_conflict use_variable
       declare
         imago_batch bigint;
         imago_rows bigint;
         imago_journaled bigint;
         imago_kind "char";
         imago_fires boolean;
         imago_moved boolean;
         imago_moves jsonb;
         imago_relation text;
         imago_identity imago.identity;
         imago_context text;
         imago_query text;
         imago_counts jsonb;
       begin
         if current_setting(''imago.batch'', true) <> '''' and current_setting(%3$L, true) <> '''' then
           select count(*) into imago_rows from %8$s;
           imago_kind := case when %1$s then ''n'' else ''u'' end;
           if current_setting(''imago.dry'', true) = ''on'' then
             imago_query := imago.fires_query(tg_relid, tg_op, %10$L, %11$L);
             if imago_query is not null then
               execute imago_query into imago_counts;
               perform set_config(%12$L, imago.add_counts(nullif(current_setting(%12$L, true), '''')::jsonb, imago_counts)::text, true);
             end if;
           end if;
           if current_setting(''imago.back'', true) = %5$L then
             if not %6$s or imago_kind <> ''n'' then
               return null;
             end if;
           else
             perform pg_catalog.setval(%4$L, pg_catalog.currval(%4$L) + imago_rows);
           end if;
           if imago.is_batch_open(%5$L, true) then
             imago_batch := split_part(current_setting(''imago.batch''), '':'', 2);
             %9$s
             %2$s
             perform set_config(%3$L, (coalesce(nullif(current_setting(%3$L, true), ''''), ''0'')::integer
               + case when imago_kind = ''n'' then 2 else 1 end)::text, true);
           end if;
         end if;
         %7$s
         return null;
       end',
      nested, body, 'imago.fired_' || write.id, format('imago_undo.%I', write.undo_table || '_seen'), write.plan,
      case event when 'update' then 'true' else 'false' end, watch,
      case event when 'delete' then 'old_rows' else 'new_rows' end,
      case event when 'update' then 'imago_fires := imago.has_app_trigger(tg_relid);' else '' end,
      write.key_columns, write.columns, 'imago.fires_' || write.id));
  execute format('comment on function imago_undo.%I() is %L', routine,
    format('Trigger function: writes the undo journal of plan %s when a batch of it %ss rows of %s.', write.plan, event, write.relation));
  execute format('revoke all on function imago_undo.%I() from public', routine);
end
$$;
comment on function imago.create_capture(imago.plan_write, text, text, text) is 'Creates the trigger function that captures one declared write, for inserts, updates or deletes. For a batch of this plan it captures, counts the rows that it has seen, and how often it fired; for anybody else''s write it does no more than watch says.';
