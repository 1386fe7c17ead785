create or replace function public.rollback_entity(plan text, entity text, force boolean default false, stage integer default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.rollback_entity(plan, entity, force, stage);
end
$$;
comment on function public.rollback_entity(text, text, boolean, integer) is 'Imago: takes one entity of any plan back, whole or not at all, and holds it. No batch moves it again until migrate_entity asks for it. stage says whose key it is where several stages know it.';
