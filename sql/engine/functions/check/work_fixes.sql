create or replace function imago.work_fixes(validation imago.validation, plan imago.plan, deadline timestamptz)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  items imago.validation_check[];
  item imago.validation_check;
begin
  if validation.dry_run then
    begin
      items := imago.fix_checks(validation, plan, deadline);
      raise exception using errcode = 'IMDRY', message = 'taken back';
    exception when sqlstate 'IMDRY' then null;
    end;
  else
    items := imago.fix_checks(validation, plan, deadline);
  end if;
  foreach item in array items loop
    perform imago.save_check(item);
  end loop;
  return case when exists (select from imago.validation_check i where i.validation = work_fixes.validation.id and not i.done)
    then 'fixing' else 'done' end;
end
$$;
comment on function imago.work_fixes(imago.validation, imago.plan, timestamptz) is 'One call''s worth of fixing; in a dry run all of it is taken back, and only the counts are kept.';
