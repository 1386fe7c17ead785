create or replace function imago.has_journal(plan imago.plan, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  write imago.plan_write;
  -- However it was typed.
  key constant text := imago.canonical_key(plan, entity);
  found_one boolean := false;
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    execute format('select exists (select from imago_undo.%I j where j.entity = $1::%s)', write.undo_table, imago.kept_type(plan))
      into found_one using key;
    exit when found_one;
  end loop;
  return found_one;
end
$$;
comment on function imago.has_journal(imago.plan, text) is 'Whether anything was written for this entity that has not been taken back.';
