create or replace function imago.attempt_batch(run imago.run, plan imago.plan, keys text[], path text, careful boolean default false, fixed imago.plan_check default null, results jsonb default null)
returns imago.attempt
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.attempt;
  detail text;
  context text;
begin
  begin
    set constraints all deferred;
    if run.direction = 'forward' then
      result := imago.move_forward(run, plan, keys, path, fixed, results);
    else
      -- Of the key's own type once for all that it does.
      execute format('select b.* from imago.move_back($1, $2, $3::%s[], $4, $5) b', imago.kept_type(plan))
      into result using run, plan, keys, path, careful;
    end if;
    result.outcome := 'moved';
    return result;
  exception
    when others or query_canceled or assert_failure then
      result := null;
      get stacked diagnostics
        result.sqlstate = returned_sqlstate, result.constraint_name = constraint_name, result.table_name = table_name,
        result.column_name = column_name, detail = pg_exception_detail, context = pg_exception_context;
      result := imago.sort_error(result, detail, context, plan.name);
      if result.outcome = 'timeout' and not imago.timed_out() then
        raise;
      end if;
  end;
  -- A row that comes back may find its place taken, or what it refers to gone.
  if not careful and (result.sqlstate = '40IM1' and not result.by_app
     or run.direction = 'rollback' and result.sqlstate in ('23503', '23505', '23P01')
        and exists (select from imago.plan_write w where w.plan = plan.name and w.deletes)) then
    return imago.attempt_batch(run, plan, keys, path, true);
  end if;
  result.moved := 0;
  result.rows := '{}';
  return result;
end
$$;
comment on function imago.attempt_batch(imago.run, imago.plan, text[], text, boolean, imago.plan_check, jsonb) is 'One sub-batch in a subtransaction: what goes wrong is rolled back and sorted (sort_error). A person''s cancel is raised again. A rollback looks for conflicts, row by row, only when there is a sign of one (40IM1).';
