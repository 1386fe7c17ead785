-- Imago: what the governor sees: which share of the time runs may work, and which signals slow or hold them.
select g.plan, g.share, g.held_since, g.held_until, r.signal, r.name, r.level, r.value, r.capacity, r.holds,
  make_interval(secs => r.held_ms / 1000.0) as held_so_far, r.read_at
from imago.governor g
left join imago.reading r on r.plan = g.plan and (r.level > 0 or r.held_ms > 0)
order by g.plan, r.level desc nulls last, r.signal;
