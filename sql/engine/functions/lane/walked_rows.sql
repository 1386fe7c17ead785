create or replace function imago.walked_rows(run imago.run, plan imago.plan, out relation_schema text, out relation_name text, out key_column text)
language sql
stable
set search_path = ''
as $$
  select plan.source_schema, plan.source_table, plan.key_column where run.direction = 'forward'
  union all
  (select 'imago_undo', w.undo_table, 'entity'
   from imago.stage_writes(plan) w
   where run.direction = 'rollback'
   order by w.relation = plan.source desc, w.position
   limit 1)
$$;
comment on function imago.walked_rows(imago.run, imago.plan, out text, out text, out text) is 'What a walk by blocks goes through: the source of a stage; on the way back one undo table. That is the one of the source if it is written. Entities that have no row in it are left to the late pass.';
