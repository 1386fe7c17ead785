create or replace function public.claim_entities(
  plan text default 'avatars',
  batch_size integer default 50,
  lease_ms integer default 60000,
  run bigint default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.claim_entities(plan, batch_size, lease_ms, run);
end
$$;
comment on function public.claim_entities(text, integer, integer, bigint) is 'Imago: hands out entities of the external stage that a run has come to (status external of migrate_batch). Each with its key and the row that read gives. Locks nothing of the app. Until lease_ms are over they are the caller''s; then, and when their row has changed, they are handed out again: at least once outside, once inside. status: claimed, or as migrate_batch, which to call then. Bring what your function makes of them to return_entities.';
