create or replace function imago.roll_back_all(plan_name text, force boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  result jsonb;
  rolled_back bigint := 0;
  rows jsonb := '{}';
  deferrals integer := 0;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_session();
  perform imago.expect_writable();
  loop
    result := imago.roll_back(plan_name, 3600000, force);
    rolled_back := rolled_back + coalesce((result ->> 'rolled_back')::bigint, 0);
    rows := imago.add_counts(rows, result -> 'rows');
    exit when result ->> 'status' not in ('working', 'deferred');
    -- Somebody's lock is waited for a few times, not for ever: all that we have taken back is locked meanwhile.
    deferrals := case result ->> 'status' when 'deferred' then deferrals + 1 else 0 end;
    exit when deferrals > 10;
  end loop;
  if result ->> 'status' = 'failed' then
    raise exception using
      errcode = result #>> '{error,code}', message = result #>> '{error,message}', hint = result #>> '{error,hint}';
  elsif result ->> 'status' = 'waiting' then
    perform imago.raise_error('IM088', plan_name, result ->> 'reason');
  elsif (result ->> 'has_more')::boolean then
    perform imago.raise_error('IM016', plan_name);
  end if;
  return result || jsonb_build_object('rolled_back', rolled_back, 'rows', rows);
end
$$;
comment on function imago.roll_back_all(text, boolean) is 'Takes a whole migration back, call after call within the caller''s transaction.';
