create or replace function imago.run_error(run imago.run)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  error_of_code text := case when run.error_code ~ '^IM' then run.error_code else 'IM024' end;
  details text[] := coalesce(run.error_detail, array[run.plan]);
  result jsonb;
begin
  select jsonb_build_object(
      'code', e.code, 'message', format(e.message, variadic details || run.plan), 'hint', format(e.hint, variadic details || run.plan))
    into result
  from imago.error e where e.code = error_of_code;
  return result;
end
$$;
comment on function imago.run_error(imago.run) is 'Why a run failed, as code, message and hint.';
