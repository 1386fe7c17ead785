-- Imago: the runs of all plans, newest first.
select r.id, r.plan, r.direction, r.state, r.error_code, r.created_at, coalesce(r.finished_at, clock_timestamp()) - r.started_at as took,
  (select sum(l.moved) from imago.lane l where l.run = r.id) as moved, (select sum(l.failed) from imago.lane l where l.run = r.id) as failed
from imago.run r
order by r.id desc
limit 50;
