create or replace function imago.build_stay(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Runs for each row, so little is asked. Of a rollback it is the old row with what is restored: fewer columns to copy than all that
  -- must stay.
  perform imago.create_keeper(write, 'stay', '',
    concat_ws(' ',
      (select format('if pg_catalog.current_setting(''imago.batch'', true) like ''%%:back'' and pg_catalog.pg_trigger_depth() = 1 then %s return old; end if;',
         string_agg(format('old.%1$s := new.%1$s;', imago.quoted_name(c)), ' '))
       from unnest(write.columns) c having count(*) > 0),
      imago.stay_assignments(write)),
    format('in batches of plan %s, keeps what triggers of the app must not move in %s.', write.plan, write.relation));
end
$$;
comment on function imago.build_stay(imago.plan_write) is 'Generates the trigger function that has the last word on a row. Batches leave updated_at-like columns as they are, rollbacks all that they do not restore.';
