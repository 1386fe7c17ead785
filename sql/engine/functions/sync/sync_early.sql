create or replace function imago.sync_early(sync imago.plan_sync, plan imago.plan)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  not_started constant text := format(
    'not exists (
       select from imago.run r
       where r.plan = %L and r.direction = ''forward'' and r.validation is null and r.started_at is not null)',
    sync.plan);
  held constant text := imago.sync_lock(sync, plan, false);
begin
  if not 'insert' = any (sync.events) then
    return '';
  end if;
  if held = '' then
    return format('if tg_op = ''INSERT'' and %s then return null; end if;', not_started);
  end if;
  -- Asked again once they are held: a batch may have moved them meanwhile. What goes wrong here is looked at below.
  return format(
    'if tg_op = ''INSERT'' and %1$s then
       begin
         imago_entities := array(select %2$s from imago_new n%3$s);
         %4$s
         if %1$s then
           return null;
         end if;
       exception when others or assert_failure then
         null;
       end;
       imago_entities := null;
     end if;',
    not_started, imago.sync_entity(sync, 'n', sync.entity_column), ' where n.' || quote_ident(sync.fills) || ' is null', held);
end
$$;
comment on function imago.sync_early(imago.plan_sync, imago.plan) is 'PL/pgSQL of a sync: what new rows take before a run.';
