create or replace function imago.build_keep(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- What the last pass asks for is asked for by a setting, which a statement may set behind the guard: so that pass is proved to be ours.
  perform imago.create_keeper(write, 'keep', 'declare imago_note text[];',
    format(
      '%1$s
       if pg_catalog.pg_trigger_depth() = 1 then
         if not imago.is_batch_open(%2$L) then
           return new;
         end if;
         imago_note := pg_catalog.current_setting(''imago.note'', true);
         if pg_catalog.cardinality(imago_note) > 0 then
           %3$s
         end if;
       else
         %4$s
       end if;',
      imago.stay_assignments(write), write.plan,
      coalesce(imago.side_values(write, 'new.%4$s := imago_note[%3$s]::%2$s;', ' '), 'null;'),
      imago.side_values(write, 'new.%4$s := old.%4$s;', ' ')),
    format('in the last pass of a rollback of plan %s, keeps what triggers of the app must not move in %s.', write.plan, write.relation));
end
$$;
comment on function imago.build_keep(imago.plan_write) is 'Generates the trigger function that has the last word on a row in a rollback''s last pass. It gets what it asks for.';
