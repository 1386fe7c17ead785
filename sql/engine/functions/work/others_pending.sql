create or replace function imago.others_pending(plan imago.plan)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    if imago.ask_pending(staged, format('select to_jsonb(exists (select from %s p where (%s) is not true))',
        imago.plan_object(staged, 'pending'), imago.cohort_sql(staged, 'p.entity')))::boolean then
      return true;
    end if;
  end loop;
  return false;
exception when sqlstate 'IM071' then
  return null;
end
$$;
comment on function imago.others_pending(imago.plan) is 'Whether entities are pending that runs do not take; null where the views cannot be read.';
