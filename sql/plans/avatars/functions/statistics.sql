create or replace function avatars.statistics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  total bigint := 0;
  migrated bigint := 0;
begin
  if pg_catalog.to_regclass('public.avatars') is not null then
    execute 'select count(*) from public.avatars' into total;
    if avatars.first_column('public.avatars', 'metadata') is not null then
      execute 'select count(*) from public.avatars where metadata @> ''{"migrated": true}''' into migrated;
    end if;
  end if;
  return jsonb_build_object('total_avatars', total, 'migrated_avatars', migrated);
end
$$;
comment on function avatars.statistics() is 'What get_migration_statistics adds for this plan: avatars in all, and those that carry the mark.';
