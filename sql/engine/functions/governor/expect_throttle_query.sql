create or replace function imago.expect_throttle_query(throttle_query text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  began timestamptz;
  took_ms integer;
  most_ms constant integer := (select s.hold from imago.signal s where s.name = 'query_time');
begin
  if coalesce(throttle_query, '') = '' then
    return;
  end if;
  -- It runs with the rights of this function's owner, which the role that the Data API has taken on does not have.
  if not pg_catalog.pg_has_role(coalesce(nullif(current_setting('role'), 'none'), session_user::text)::name, current_user, 'member') then
    perform imago.raise_error('IM087', current_user);
  end if;
  began := clock_timestamp();
  begin
    perform imago.ask_throttle_query(throttle_query);
  exception when others then
    perform imago.raise_error('IM015', 'throttle_query', format('it ends with SQLSTATE %s', sqlstate), 'SQL that answers one boolean');
  end;
  took_ms := 1000 * extract(epoch from clock_timestamp() - began);
  if took_ms >= most_ms then
    perform imago.raise_error('IM015', 'throttle_query', format('it takes %s ms', took_ms), format('SQL that answers within %s ms', most_ms));
  end if;
end
$$;
comment on function imago.expect_throttle_query(text) is 'Tries a throttle_query, and refuses it from those who could not run it themselves (IM015, IM087).';
