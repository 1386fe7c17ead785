create or replace function imago.allowed_failures(run imago.run)
returns bigint
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return case
    when run.direction = 'rollback' then 9223372036854775807
    when run.max_failures is null then greatest(100, floor(coalesce(run.total, 0) * 0.01))::bigint
    when run.max_failures ~ '%$' then floor(coalesce(run.total, 0) * rtrim(run.max_failures, '%')::numeric / 100)::bigint
    else run.max_failures::bigint
  end;
end
$$;
comment on function imago.allowed_failures(imago.run) is 'The error budget in entities: a number, a share of the total, or 1 % and at least 100. A rollback has none: it reports.';
