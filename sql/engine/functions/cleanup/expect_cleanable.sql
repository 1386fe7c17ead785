create or replace function imago.expect_cleanable(plan imago.plan, older_than interval)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  since timestamptz := imago.cleanup_since(plan);
begin
  if since + older_than > clock_timestamp() then
    perform imago.raise_error('IM040', plan.name,
      format('its verification period ends on %s (UTC)', to_char((since + older_than) at time zone 'UTC', 'YYYY-MM-DD "at" HH24:MI')),
      'Call again then. A shorter older_than ends it earlier.');
  end if;
  return since;
end
$$;
comment on function imago.expect_cleanable(imago.plan, interval) is 'Refuses to clean up before the verification period is over, naming when it is (IM040); gives since when it counts.';
