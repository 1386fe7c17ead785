create or replace function imago.drop_empty_column(plan_name text, relation text, name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  holds boolean;
  missing text;
begin
  if not imago.is_added(plan_name, relation, name) then
    return null;
  end if;
  -- Under the lock the table must not be read for long, or the column has to have an index.
  select w.hint into missing from imago.index_warning(relation, name, 'clean-up') w limit 1;
  if missing is not null and not imago.may_hold(relation) then
    return jsonb_build_object('warnings', jsonb_build_array(
      format('%s.%I has no index, and writers would wait while it is looked through: it stays. %s', relation, name, missing)));
  end if;
  -- Who reads goes on meanwhile.
  execute format('lock table %s in share row exclusive mode', relation);
  execute format('select exists (select from %s where %I is not null)', relation, name) into holds;
  if holds then
    return jsonb_build_object('warnings', jsonb_build_array(format('%s.%I holds values: it stays', relation, name)));
  end if;
  perform imago.forget_added(plan_name, relation, name);
  execute format('alter table %s drop column %I', relation, name);
  return jsonb_build_object('warnings', jsonb_build_array(format('%s.%I was empty: dropped', relation, name)));
end
$$;
comment on function imago.drop_empty_column(text, text, text) is 'For plans: a clean-up step that drops a column which the plan added, when it is empty; says what became of it. The plan has noted it as its own (note_added).

Example: select imago.drop_empty_column(''resume_skills'', ''public.users'', ''skills'')';
