create or replace function imago.sync_lock(sync imago.plan_sync, plan imago.plan, is_started boolean)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  -- A writer of the source holds its row already.
  is_elsewhere constant boolean := sync.relation::pg_catalog.regclass <> plan.source::pg_catalog.regclass;
  rows constant text := format('from %s s where %s order by %s', plan.source,
    imago.keys_match(imago.key_list(plan.key_column, 's'), plan.key_type, format('(imago_entities::%s[])', plan.key_type)),
    imago.key_list(plan.key_column, 's'));
  locking constant text := case
    when not is_elsewhere then ''
    when is_started then format(
      'if imago.is_all_moved(%1$L) then
         perform from (select %2$s for key share) locked;
       else
         perform from (select %2$s for share) locked;
       end if;', sync.plan, rows)
    else format('perform from (select %s for share) locked;', rows) end;
begin
  if imago.is_owned(plan.source) then
    return locking;
  end if;
  -- Where batches lock no rows, holding one keeps nobody away.
  return format('if not imago.may_lock(%1$L) then perform imago.hold_source(%1$L);%2$s end if;', plan.source, ' else ' || nullif(locking, ''));
end
$$;
comment on function imago.sync_lock(imago.plan_sync, imago.plan, boolean) is 'PL/pgSQL that has a sync hold the source rows of its entities, so that no batch moves them meanwhile. Empty where the statement that it follows holds them. Before the first run has started nobody has been moved.';
