create or replace function imago.find_remaining(run imago.run, plan imago.plan, most integer, out staged imago.plan, out keys text[], out outcome text, out error imago.attempt)
language plpgsql
volatile
set search_path = ''
as $$
declare
  context text;
begin
  keys := '{}';
  for staged in select s.* from imago.begun_stages(run, plan) s loop
    keys := imago.remaining_entities(run, staged, most);
    exit when keys <> '{}';
  end loop;
  outcome := case cardinality(keys) when most then 'incomplete' else 'working' end;
  -- A view may list an entity as often as it likes.
  select coalesce(array_agg(k.key order by k.n), '{}') into keys
  from (select u.key, min(u.n) as n from unnest(keys) with ordinality u(key, n) group by u.key) k;
exception
  when query_canceled then
    if not imago.timed_out() then
      raise;
    end if;
    outcome := 'incomplete';
  when others or assert_failure then
    get stacked diagnostics error.sqlstate = returned_sqlstate, context = pg_exception_context;
    error := imago.sort_error(error, null, context, plan.name);
    -- Over which rows the view stumbles, a walk finds out.
    outcome := case error.outcome when 'stop' then 'stop' else 'incomplete' end;
end
$$;
comment on function imago.find_remaining(imago.run, imago.plan, integer) is 'Looks for what the lanes have left: keys of the first stage that has any, and that stage. Outcome incomplete where it is most keys or more, or where looking does not fit a call or fails for some rows; stop, with the error, where it is wrong.';
