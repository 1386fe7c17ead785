create or replace function avatars.guard_column(relation text, name text, owner_column text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  event text;
begin
  if owner_column is null then
    return;
  end if;
  perform avatars.make_guard();
  -- The condition is asked with the rights of the writer. Where row security does not apply to the writer, as for the app's
  -- server and batches, they may write what they think right. A row whose avatar stays as it was is not looked at.
  foreach event in array array['insert', 'update'] loop
    execute format(
      'create or replace trigger %1$I after %2$s %7$s on %3$s for each row
         when (new.%4$I is not null %5$s and pg_catalog.row_security_active(''public.avatars''::pg_catalog.regclass))
         execute function public.expect_own_avatar(%4$L, %6$L)',
      'expect_own_avatar_' || event, event, relation, name,
      case event when 'update' then format('and new.%1$I is distinct from old.%1$I', name) end, owner_column,
      -- Where a statement does not name the column, its condition is not even prepared.
      case event when 'update' then format('of %I', name) end);
  end loop;
end
$$;
comment on function avatars.guard_column(text, text, text) is 'Has a relation refuse avatars that do not belong to the owner of the row, when people write them. Roles that bypass row security may write them.';
