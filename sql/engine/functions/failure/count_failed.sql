create or replace function imago.count_failed(run_id bigint)
returns bigint
language sql
stable
set search_path = ''
as $$
  select count(*) from imago.failure f where f.run = run_id and f.kind in ('failed', 'too_large')
$$;
comment on function imago.count_failed(bigint) is 'Entities that count against the error budget of a run.';
