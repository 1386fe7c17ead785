create or replace function imago.notice_outcome(request bigint)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  outcome text;
begin
  execute 'select coalesce(r.status_code::text, case when r.timed_out then ''timeout'' else ''error'' end) from net._http_response r where r.id = $1'
  into outcome using request;
  return outcome;
exception when insufficient_privilege or undefined_table then
  -- Nobody may ask what has become of it: handed over is all that can be known.
  return '202';
end
$$;
comment on function imago.notice_outcome(bigint) is 'What has become of a request of pg_net: an HTTP status, timeout or error; null while it is under way.';
