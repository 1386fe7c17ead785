create or replace function public.forget_entity(plan text, entity text, stage integer default null, still_there boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.forget_entity(plan, entity, stage, still_there);
end
$$;
comment on function public.forget_entity(text, text, integer, boolean) is 'Imago: deletes what the journal of a plan holds of one entity, for an erasure request. Its key goes from failures and log. It cannot go back any more. Refused while it is there and could, unless still_there. stage says whose key it is where several stages know it.';
