create or replace function public.rollback_batch(
  plan text default 'avatars',
  max_ms integer default 2000,
  force boolean default null,
  run bigint default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.roll_back(plan, max_ms, force, run);
end
$$;
comment on function public.rollback_batch(text, integer, boolean, bigint) is 'Imago: one call''s worth of taking a migration back, within max_ms milliseconds. Call until has_more is false. What people changed since is left alone and reported (conflicts) unless force is true; references are never overridden. Left out, force is what the rollback was begun with. run: the run that the caller drives; no other is opened then.';
