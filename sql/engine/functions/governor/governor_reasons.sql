create or replace function imago.governor_reasons(plan text)
returns jsonb
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'signal', r.signal, 'name', nullif(r.name, ''), 'level', r.level,
      'value', round(r.value), 'limit', round(r.capacity), 'sqlstate', r.sqlstate, 'since', r.since, 'reason', imago.reading_text(r)))
      order by r.holds desc, r.level desc, s.position), '[]')
    from imago.reading r join imago.signal s on s.name = r.signal
    where r.plan = governor_reasons.plan and r.since is not null);
end
$$;
comment on function imago.governor_reasons(text) is 'What slows or holds the runs of a plan, or is only told, worst first.';
