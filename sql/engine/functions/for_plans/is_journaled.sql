create or replace function imago.is_journaled(plan text, relation text, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  write imago.plan_write := (select w from imago.plan_write w where w.plan = is_journaled.plan and w.relation = is_journaled.relation);
  result boolean;
begin
  if write.undo_table is null or pg_catalog.to_regclass(format('imago_undo.%I', write.undo_table)) is null then
    return false;
  end if;
  execute format('select exists (select from imago_undo.%I j where j.entity = $1::%s)',
    write.undo_table, (
      select case write.stage when 1 then p.key_type else (imago.plan_at_stage(p, write.stage)).key_type end
      from imago.plan p where p.name = is_journaled.plan)) into result using entity;
  return result;
end
$$;
comment on function imago.is_journaled(text, text, text) is 'Whether the journal says that rows of this entity were written in this relation. For queries of checks: a view on the undo table would keep it from being dropped.';
