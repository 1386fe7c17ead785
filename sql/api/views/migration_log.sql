create view public.migration_log
with (security_invoker = true)
as
select l.created_at, l.plan, l.run, null::bigint as batch, l.level, l.event, l.entity, l.sqlstate, l.detail
from imago.log l
union all
select
  b.created_at, r.plan, b.run, b.id, 'debug', case when b.path = 'sync' then 'sync' when b.direction = 'rollback' then 'rollback' else 'batch' end, null, null,
  jsonb_build_object('path', b.path, 'size', b.size, 'moved', b.moved, 'ms', b.ms, 'rows', b.rows)
    || case when c.name is null then '{}' else jsonb_build_object('check', c.name) end
from imago.batch b
join imago.run r on r.id = b.run
left join imago.plan_check c on c.id = b.plan_check;
comment on view public.migration_log is 'Imago: what happened, newest last by created_at. Keys, codes and counts, no personal data.';
