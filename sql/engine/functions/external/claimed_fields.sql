create or replace function imago.claimed_fields(run imago.run)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'reason', format('what was handed out of an external stage has yet to come back: %s, of which the first is free again in %s s',
      imago.counted(imago.find_plan(run.plan), count(*)), greatest(0, ceil(extract(epoch from min(c.expires_at) - clock_timestamp())))),
    'retry_after_ms', greatest(200, least(2000, ceil(1000 * extract(epoch from min(c.expires_at) - clock_timestamp()))))::integer)
  from imago.claimed_entity c where c.run = claimed_fields.run.id
$$;
comment on function imago.claimed_fields(imago.run) is 'Fields of the answer of a call that waits for what others have claimed.';
