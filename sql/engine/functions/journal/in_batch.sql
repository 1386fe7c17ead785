create or replace function imago.in_batch()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- What a sync of the app's own write has opened is none; around one within a batch is that batch.
  named bigint[];
begin
  if coalesce(current_setting('imago.batch', true), '') = '' then
    return false;
  end if;
  named := array[
    substring(current_setting('imago.batch', true) from '^[a-z0-9_]+:([0-9]{1,18})(?::back|:side)?$'),
    substring(current_setting('imago.outer', true) from '^[a-z0-9_]+:([0-9]{1,18})(?::back|:side)?$')];
  return exists (
    select from imago.batch b
    where b.id = any (named) and b.path <> 'sync' and b.xid = pg_current_xact_id_if_assigned() and b.ms is null);
end
$$;
comment on function imago.in_batch() is 'For triggers of the app: whether Imago is writing: a batch forward or back, or a fix, of this very transaction. Any role may ask, and none can make it true or false: the row of a batch proves it. False in what a sync does for the app''s own write.';
