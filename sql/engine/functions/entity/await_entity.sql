create or replace function imago.await_entity(plan imago.plan, entity text, stage integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
begin
  for staged in select s.* from imago.plan_stages(plan) s where s.stage = coalesce(await_entity.stage, s.stage) loop
    begin
      execute format('select imago.lock_entities($1, array[$2::%s])', staged.key_type) using staged, entity;
    exception
      when data_exception then
        -- No key of this stage looks so.
        null;
      when lock_not_available then
        perform imago.raise_error('IM025', (imago.entity_words(staged)).singular);
    end;
  end loop;
end
$$;
comment on function imago.await_entity(imago.plan, text, integer) is 'Waits for the batch that has an entity in flight, so that its journal is seen. IM025 when that takes too long.';
