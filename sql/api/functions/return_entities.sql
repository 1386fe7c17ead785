create or replace function public.return_entities(
  token uuid,
  results jsonb,
  failures jsonb default '{}',
  plan text default 'avatars',
  max_ms integer default 2000,
  run bigint default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.return_entities(plan, token, results, failures, max_ms, run);
end
$$;
comment on function public.return_entities(uuid, jsonb, jsonb, text, integer, bigint) is 'Imago: writes what comes back of a claim, in one transaction and through the journal, as migrate_batch would. results: by key, what apply gets. failures: by key, code and field; they are set aside. What is named in neither is handed out again, and so is whose row has changed since. Call it again with the same until left is 0 or the status is one that ends a run; busy, deferred and waiting ask for retry_after_ms.';
