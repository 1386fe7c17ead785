create or replace function avatars.clean_column(relation text, name text, owner_column text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  guarded constant boolean := exists (
    select from pg_catalog.pg_trigger t where t.tgrelid = pg_catalog.to_regclass(relation) and t.tgname = 'expect_own_avatar_insert');
  said jsonb;
begin
  -- Prepare makes it again.
  drop view if exists avatars.pending;
  if not imago.is_added('avatars', relation, name) then
    return null;
  end if;
  if guarded then
    execute format('drop trigger expect_own_avatar_insert on %s', relation);
    execute format('drop trigger expect_own_avatar_update on %s', relation);
  end if;
  said := imago.drop_empty_column('avatars', relation, name);
  if guarded and avatars.first_column(relation, name) is not null then
    perform avatars.guard_column(relation, name, owner_column);
  end if;
  return said;
end
$$;
comment on function avatars.clean_column(text, text, text) is 'Drops a column that prepare added, with the triggers that guard it, if it is empty.';
