create or replace function imago.plan_list()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object('realtime', 'realtime' = any (imago.notify_ways()), 'plans', coalesce((
    select jsonb_agg(imago.plan_words(p) || jsonb_build_object(
      'plan', p.name,
      'title', p.title,
      'source', p.source,
      'source_exists', pg_catalog.to_regclass(p.source) is not null,
      'phase', imago.plan_phase(p, r),
      'state', coalesce(r.state, 'none'),
      'direction', r.direction,
      'run', r.id,
      'started_at', r.started_at,
      'finished_at', r.finished_at,
      'failed', a.failed,
      'held', a.held,
      'conflicts', a.conflicts,
      'journal_bytes', (select coalesce(sum(u.bytes), 0) from imago.undo_bytes(p.name) u)) order by p.created_at, p.name)
    from imago.plan p
    cross join lateral imago.last_run(p.name) r
    cross join lateral imago.count_set_aside(p.name, r.direction) a), '[]'));
end
$$;
comment on function imago.plan_list() is 'Every plan with its phase, the state of its newest run, who is set aside, and how large its journal is.';
