create or replace function imago.rehearsal_problems(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('severity', 'warning', 'kind', c.kind) || f.finding order by c.kind, f.n), '[]')
  from (values ('sequence_behind', imago.sequence_findings(plan)), ('unreachable', imago.find_unreached(plan))) c(kind, findings)
  cross join lateral jsonb_array_elements(c.findings) with ordinality f(finding, n)
$$;
comment on function imago.rehearsal_problems(imago.plan) is 'What only a rehearsal can know, as problems: sequences that copied values overtake, entities that cannot be reached.';
