create or replace function imago.others_seen(run imago.run)
returns boolean
language sql
volatile
set search_path = ''
as $$
  -- The run before this one may have seen them, too.
  select exists (
    select from imago.health h join imago.run r on r.id = h.run
    where r.plan = others_seen.run.plan
      and h.others_at > clock_timestamp() - make_interval(secs => imago.setting_number('quiet_ms') / 1000.0))
$$;
comment on function imago.others_seen(imago.run) is 'Whether calls of a plan''s runs have seen others write its tables in the last quiet_ms.';
