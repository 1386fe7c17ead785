create or replace function imago.count_failed(run_id bigint)
returns bigint
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select count(*) from imago.failure f where f.run = run_id and f.kind in ('failed', 'too_large'));
end
$$;
comment on function imago.count_failed(bigint) is 'Entities that count against the error budget of a run.';
