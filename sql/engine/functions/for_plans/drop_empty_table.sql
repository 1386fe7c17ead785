create or replace function imago.drop_empty_table(plan_name text, relation text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  holds boolean;
begin
  if not imago.is_added(plan_name, relation) then
    return null;
  end if;
  -- Who reads goes on meanwhile.
  execute format('lock table %s in share row exclusive mode', relation);
  execute format('select exists (select from %s)', relation) into holds;
  if holds then
    return jsonb_build_object('warnings', jsonb_build_array(format('%s holds rows: it stays', relation)));
  end if;
  perform imago.forget_added(plan_name, relation);
  -- Not cascading: what still refers to it keeps it.
  execute format('drop table %s', relation);
  return jsonb_build_object('warnings', jsonb_build_array(format('%s was empty: dropped', relation)));
exception when dependent_objects_still_exist then
  return jsonb_build_object('warnings', jsonb_build_array(format('%s is referred to: it stays', relation)));
end
$$;
comment on function imago.drop_empty_table(text, text) is 'For plans: a clean-up step that drops a table which the plan added, when it is empty and nothing refers to it. Says what became of it. The plan has noted it as its own (note_added).

Example: select imago.drop_empty_table(''avatars'', ''public.avatars'')';
