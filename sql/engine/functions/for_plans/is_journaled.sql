create or replace function imago.is_journaled(plan text, relation text, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  write imago.plan_write := (select w from imago.plan_write w where w.plan = is_journaled.plan and w.relation = is_journaled.relation);
  entity_type text := imago.entity_type(write.undo_table);
  result boolean;
begin
  if entity_type is null then
    return false;
  end if;
  execute format('select exists (select from imago_undo.%I j where j.entity = $1::%s)', write.undo_table, entity_type)
  into result using (imago.kept_entities(write, array[entity]))[1];
  return result;
end
$$;
comment on function imago.is_journaled(text, text, text) is 'For plans: whether the journal says that rows of this entity were written in this relation. For queries of checks: a view on the undo table would keep it from being dropped.

Example: select imago.is_journaled(''avatars'', ''public.users'', ''3f0c0b5e-8d52-4a7e-9a1c-0f6f6f9a2b11'')';
