create or replace function avatars.add_reference(relation text, name text, key_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if (select c.relkind from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass) = 'p' then
    -- PostgreSQL has no foreign key on a partitioned table that is not valid. In one command with its column, which is null
    -- everywhere, it is valid without a scan.
    execute format('alter table %s add column %I uuid constraint %I references public.avatars (id) on delete set null on update cascade', relation, name, key_name);
  else
    -- Not valid: nothing is scanned under the lock, and new references are checked all the same.
    execute format('alter table %s add column %I uuid', relation, name);
    execute format('alter table %s add constraint %I foreign key (%I) references public.avatars (id) on delete set null on update cascade not valid', relation, key_name, name);
  end if;
  perform imago.note_added('avatars', relation, name);
end
$$;
comment on function avatars.add_reference(text, text, text) is 'For prepare steps: a column that refers to an avatar, with its foreign key.';
