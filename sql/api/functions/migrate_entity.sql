create or replace function public.migrate_entity(plan text, entity text, stage integer default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.migrate_entity(plan, entity, stage);
end
$$;
comment on function public.migrate_entity(text, text, integer) is 'Imago: moves one entity of any plan now, through the journal (a canary). Also releases one that was rolled back alone. stage says whose key it is where several stages know it.';
