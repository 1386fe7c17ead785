create or replace function imago.sync_lock(sync imago.plan_sync, plan imago.plan)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Whoever writes the source holds its row already.
  if sync.relation::pg_catalog.regclass = plan.source::pg_catalog.regclass then
    return '';
  end if;
  return format(
    case when imago.is_owned(plan.source) then '' else 'if not imago.may_lock(%2$L) then
       perform imago.hold_source(%2$L);
     els' end ||
    'if imago.is_all_moved(%1$L) then
       perform from (select from %2$s s where s.%3$I = any (imago_entities::%4$s[]) order by s.%3$I for key share) locked;
     else
       perform from (select from %2$s s where s.%3$I = any (imago_entities::%4$s[]) order by s.%3$I for share) locked;
     end if;',
    sync.plan, plan.source, plan.key_column, plan.key_type);
end
$$;
comment on function imago.sync_lock(imago.plan_sync, imago.plan) is 'PL/pgSQL that has a sync hold the source rows of its entities, so that no batch moves them meanwhile. Empty where the statement that it follows holds them.';
