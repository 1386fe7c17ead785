create or replace procedure imago.run(
  plan text default 'avatars',
  direction text default 'forward',
  seconds integer default null,
  batch_size integer default null,
  force boolean default null,
  inout answer jsonb default null
)
language plpgsql
-- It commits, so it can have no settings of its own: the search_path is set in each transaction.
as $$
declare
  began constant timestamptz := pg_catalog.clock_timestamp();
  ends timestamptz;
begin
  loop
    perform pg_catalog.set_config('search_path', '', true);
    if direction is null or direction not in ('forward', 'rollback') then
      perform imago.raise_error('IM015', 'direction', coalesce(direction, 'null'), 'forward or rollback');
    end if;
    -- The whole call is one statement: its timeout must not fall into a batch.
    ends := least(began + make_interval(secs => seconds),
      case when current_setting('statement_timeout')::interval > interval '0' then statement_timestamp() + 0.6 * current_setting('statement_timeout')::interval end);
    answer := case direction
      when 'forward' then imago.migrate(plan, 2000, batch_size)
      else imago.roll_back(plan, 2000, force) end;
    commit;
    perform pg_catalog.set_config('search_path', '', true);
    exit when not (answer ->> 'has_more')::boolean or answer ->> 'status' in ('failed', 'paused', 'cancelled', 'external') or clock_timestamp() >= ends;
    -- Unlike a tick it waits out what holds the run: whoever called it looks at it.
    perform pg_catalog.pg_sleep(least(
      (answer ->> 'retry_after_ms')::integer / 1000.0, greatest(0, coalesce(extract(epoch from ends - clock_timestamp()), 3600))));
    commit;
  end loop;
end
$$;
comment on procedure imago.run(text, text, integer, integer, boolean, inout jsonb) is 'Migrates a plan, or takes it back, from one connection, with a commit after each batch. Until it is done or the seconds are over. For psql and the SQL editor, as the role postgres. With a statement timeout it ends in time; calling it again goes on.

Example: call imago.run(''avatars'')';
