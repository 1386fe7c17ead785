create or replace function imago.call_deadline(max_ms integer)
returns timestamptz
language sql
volatile
set search_path = ''
as $$
  -- Past 70 % of the caller's statement timeout no new sub-batch begins: the timeout may also fall where nobody can catch it.
  select least(
    clock_timestamp() + make_interval(secs => max_ms / 1000.0),
    case when s.setting::integer > 0 then statement_timestamp() + make_interval(secs => 0.7 * s.setting::integer / 1000.0) end)
  from pg_catalog.pg_settings s where s.name = 'statement_timeout'
$$;
comment on function imago.call_deadline(integer) is 'When a call stops beginning work: its time budget, cut to fit the caller''s statement timeout.';
