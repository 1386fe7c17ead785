create or replace function imago.stands_still(run imago.run)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen constant text := imago.run_mark(run);
  last imago.standstill;
begin
  -- Others who see the same at the same time count it.
  select s.* into last from imago.standstill s where s.run = stands_still.run.id for update skip locked;
  last.calls := case last.mark when seen then last.calls + 1 else 1 end;
  if last.run is not null then
    update imago.standstill s set mark = seen, calls = last.calls where s.run = last.run;
  else
    insert into imago.standstill (run, mark, calls) values (run.id, seen, 1) on conflict do nothing;
  end if;
  return last.calls >= imago.setting_number('idle_calls');
exception when lock_not_available or deadlock_detected then
  return false;
end
$$;
comment on function imago.stands_still(imago.run) is 'Counts a call that moved nobody, and says whether too many in a row have left the run as it was.';
