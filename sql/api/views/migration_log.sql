create view public.migration_log
with (security_invoker = true)
as
select l.created_at, l.plan, l.run, l.batch, l.level, l.event, l.entity, l.sqlstate, l.detail
from imago.log l;
comment on view public.migration_log is 'Imago: what happened, newest last by created_at. Keys, codes and counts, no personal data.';
