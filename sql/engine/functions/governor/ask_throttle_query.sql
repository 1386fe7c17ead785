create or replace function imago.ask_throttle_query(throttle_query text)
returns boolean
language plpgsql
volatile
set search_path = ''
-- Nothing ends a statement that runs within another one, but it need not wait for anybody.
set lock_timeout = '100ms'
as $$
declare
  answer boolean;
begin
  perform set_config('transaction_read_only', 'on', true);
  execute throttle_query into strict answer;
  if answer is null then
    raise null_value_not_allowed;
  end if;
  -- What it may have set is taken back, and so is read-only.
  raise exception using errcode = 'IMASK', message = 'taken back';
exception when sqlstate 'IMASK' then
  return answer;
end
$$;
comment on function imago.ask_throttle_query(text) is 'Asks the query of an operator, which can write nothing and waits for no lock. Raises where it does not answer one boolean.';
