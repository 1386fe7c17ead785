create or replace function imago.goes_along(write imago.plan_write)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from imago.plan_sync s
    where s.plan = write.plan and s.installed_at is not null and 'update' = any (s.events)
      and imago.name_now(s.plan, s.relation) = write.relation
      and (s.columns is null
           or exists (select from unnest(s.columns) c where imago.name_now(s.plan, s.relation, c) = any (imago.key_names(write.entity_column)))))
$$;
comment on function imago.goes_along(imago.plan_write) is 'Whether a row that the app gives to another entity goes back with that one. It does where a sync follows that; else it goes back with the entity that it was written for.';
