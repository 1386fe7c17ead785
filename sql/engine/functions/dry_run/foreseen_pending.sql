create or replace function imago.foreseen_pending(plan imago.plan, cohort jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  result jsonb;
begin
  if cohort is null then
    return imago.pending_figures(plan);
  end if;
  begin
    perform imago.store_cohort(plan.name, imago.next_cohort(plan, cohort));
    result := imago.pending_figures(plan);
    raise exception using errcode = 'IMDRY', message = 'taken back';
  exception when sqlstate 'IMDRY' then
    null;
  end;
  return result;
end
$$;
comment on function imago.foreseen_pending(imago.plan, jsonb) is 'What pending_figures would say if runs took a cohort. Nobody is told to.';
