create or replace function imago.attempt_batch(run imago.run, plan imago.plan, keys text[], path text, careful boolean default false, fixed imago.plan_check default null)
returns imago.attempt
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.attempt;
  detail text;
begin
  begin
    set constraints all deferred;
    if run.direction = 'forward' then
      result := imago.move_forward(run, plan, keys, path, fixed);
    else
      -- Of the key's own type once for all that it does.
      execute format('select b.* from imago.move_back($1, $2, $3::%s[], $4, $5) b', plan.key_type)
      into result using run, plan, keys, path, careful;
    end if;
    result.outcome := 'moved';
    return result;
  exception
    when query_canceled then
      if not imago.timed_out() then
        raise;
      end if;
      result := null;
      result.outcome := 'timeout';
      result.sqlstate := '57014';
    when others or assert_failure then
      result := null;
      get stacked diagnostics
        result.sqlstate = returned_sqlstate, result.constraint_name = constraint_name, result.table_name = table_name,
        result.column_name = column_name, detail = pg_exception_detail;
      result.outcome := case
        when result.sqlstate = 'IM060' then 'stop'
        when left(result.sqlstate, 2) in ('40', '55') then 'blocked'
        when left(result.sqlstate, 2) in ('42', '53', '58', 'XX') then 'stop'
        else 'bad'
      end;
      if result.outcome = 'stop' then
        result.error_code := case result.sqlstate when 'IM060' then result.sqlstate else 'IM021' end;
        result.error_detail := case result.sqlstate
          when 'IM060' then array(select d from jsonb_array_elements_text(detail::jsonb) d) else array[result.sqlstate] end;
      elsif result.sqlstate in ('IM010', 'IM026', 'IM061') then
        select array_agg(k) into result.bad_keys from jsonb_array_elements_text(detail::jsonb) k;
      end if;
  end;
  if result.sqlstate = '40IM1' and not careful then
    return imago.attempt_batch(run, plan, keys, path, true);
  end if;
  result.moved := 0;
  result.rows := '{}';
  return result;
end
$$;
comment on function imago.attempt_batch(imago.run, imago.plan, text[], text, boolean, imago.plan_check) is 'One sub-batch in a subtransaction: what goes wrong is rolled back and sorted by SQLSTATE. A person''s cancel is raised again. A rollback looks for conflicts, row by row, only when there is a sign of one (40IM1).';
