create or replace function imago.build_captures(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  -- A new body takes no lock on the tables.
  for write in select w.* from imago.plan_write w where w.plan = plan_name and w.captured_at is not null order by w.position loop
    perform imago.build_capture(write);
    if write.kept_at is not null then
      perform imago.build_note(write);
      perform imago.build_keep(write);
      if write.deletes then
        perform imago.build_return(write);
      end if;
    end if;
  end loop;
  perform imago.build_walk(plan_name, o.stage, o.relation) from imago.walked_only(plan_name) o where o.is_installed;
end
$$;
comment on function imago.build_captures(text) is 'Generates again the trigger functions by which a plan journals, for its tables as they are now.';
