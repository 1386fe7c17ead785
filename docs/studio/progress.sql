-- Imago: how far each plan is, and how long it takes. Run it again while a run works.
select p.name as plan, g ->> 'state' as state, g ->> 'phase' as phase, g ->> 'migrated' as migrated, g ->> 'pending' as pending,
  g ->> 'percentage' as percent, coalesce(g ->> 'per_minute', g ->> 'per_minute_now') as per_minute,
  make_interval(secs => (g ->> 'eta_seconds')::numeric::double precision) as remaining, g ->> 'failed' as set_aside, g ->> 'conflicts' as conflicts
from imago.plan p
cross join lateral get_detailed_migration_progress(p.name) g
where p.prepared_at is not null and p.cleaned_at is null
order by p.name;
