create or replace function imago.install_sync(plan_name text, sync_position integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  plan imago.plan;
  missing text;
  routine text;
  event text;
  written pg_catalog.regclass;
begin
  select s.* into strict sync from imago.plan_sync s where s.plan = plan_name and s.position = sync_position;
  plan := imago.plan_at_stage(imago.find_plan(plan_name), sync.stage);
  if pg_catalog.to_regclass(sync.relation) is null then
    perform imago.raise_error('IM035', sync.name, plan_name, sync.relation);
  end if;
  if imago.primary_key(sync.relation) is null then
    perform imago.raise_error('IM035', sync.name, plan_name, 'the primary key of ' || sync.relation);
  end if;
  select string_agg(format('%s.%I', sync.relation, c), ', ') into missing
  from unnest(array_remove(imago.key_names(sync.entity_column) || sync.fills, null) || coalesce(sync.columns, '{}')) c
  where c <> all (imago.stored_columns(sync.relation));
  if missing is not null then
    perform imago.raise_error('IM035', sync.name, plan_name, missing);
  end if;

  routine := imago.build_sync(sync, plan, imago.sync_ending(sync));
  -- Where we may put none, what the app writes is found by the late pass and the next run.
  for written in select w from imago.written_tables(sync.relation) w where imago.may_follow(w::text) loop
    foreach event in array sync.events loop
      execute format(
        'create or replace trigger %I after %s on %s referencing %s for each statement execute function imago_undo.%I()',
        imago.trigger_name(sync.plan, 'sync', sync.position || '_' || event), event, written,
        case event when 'insert' then 'new table as imago_new' when 'delete' then 'old table as imago_old'
          else 'old table as imago_old new table as imago_new' end,
        routine);
    end loop;
  end loop;
  if imago.is_fillable(sync) then
    perform imago.install_fill(sync, plan);
  end if;
  update imago.plan_sync s set installed_at = clock_timestamp() where s.plan = plan_name and s.position = sync_position;
end
$$;
comment on function imago.install_sync(text, integer) is 'Installs the triggers of one sync on its relation and its partitions. Before, it looks whether the statement fits the tables.';
