create or replace function imago.expect_deletes_owned(plan imago.plan, batch bigint, keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  gone bigint;
  owned bigint;
  fresh text;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.deletes and w.captured_at is not null loop
    gone := coalesce(nullif(current_setting('imago.gone_' || write.id, true), ''), '0');
    continue when gone = 0;
    owned := 0;
    if write.stage = plan.stage then
      execute format('select count(*) from imago_undo.%I j where j.entity = any %s and j.batch = $2 and j.op = ''d''', write.undo_table, imago.keys_sql(plan))
      into owned using keys, batch;
    end if;
    if owned <> gone then
      raise exception using errcode = 'IM072', message = 'rows of another entity were deleted', table = write.relation;
    end if;
    select c.relation into fresh from imago.undeclared_cascades(plan.name) c limit 1;
    if found then
      raise exception using errcode = 'IM072', message = 'a foreign key that came since takes rows along', table = fresh;
    end if;
    -- Who has deleted rows holds the table, so nobody adds a column to it until this is over.
    if exists (select from unnest(imago.stored_columns(write.relation)) c where c <> all (write.deleted_columns)) then
      raise exception using errcode = '40001', message = 'a column has come that the journal does not keep yet', table = write.relation;
    end if;
  end loop;
end
$$;
comment on function imago.expect_deletes_owned(imago.plan, bigint, text[]) is 'Raises IM072 when a batch has deleted rows that belong to none of its entities: these could not go back whole. Has it done again (40001) where the app has just added a column that the journal does not keep yet.';
