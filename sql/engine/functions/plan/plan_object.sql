create or replace function imago.plan_object(plan imago.plan, name text)
returns text
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return format('%I.%I', plan.name, name || case when plan.stage > 1 then '_' || plan.stage else '' end);
end
$$;
comment on function imago.plan_object(imago.plan, text) is 'Quoted name of apply, pending or concerned of a plan''s stage: that of the first has no number.';
