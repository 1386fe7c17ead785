create or replace function imago.reopen_plan(plan_name text, direction text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A step of finalize that is under way is waited for, and the next one waits until this run is there to be seen.
  perform from imago.plan p where p.name = plan_name for share;
  perform imago.expect_not_finalized(plan_name, direction);
  -- Finalize begins again after this run, with the same idempotent steps.
  update imago.plan_step s set done_at = null, cursor_key = null, walked = 0
  where s.plan = plan_name and s.phase <> 'prepare' and (s.done_at is not null or s.cursor_key is not null);
  update imago.plan p set finalizing_at = null, checking_since = null, checking_stage = null, checking_key = null, checked_at = null
  where p.name = plan_name and (p.finalizing_at is not null or p.checking_since is not null);
  update imago.plan_write w set left_unindexed = '{}' where w.plan = plan_name and w.left_unindexed <> '{}';
  update imago.plan p set cleaned_at = null where p.name = plan_name and p.cleaned_at is not null;
end
$$;
comment on function imago.reopen_plan(text, text) is 'For a run that was just created: refuses where the way back is closed, and lets go of what finalize had begun. Forgets which indexes were left to a person, too.';
