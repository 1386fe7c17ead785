do $$
begin
  if pg_catalog.to_regnamespace('avatars') is not null then
    raise exception using errcode = 'IM012', message = 'names that Imago needs are taken: schema avatars',
      hint = 'Rename or drop them, then push again; a plan that needs them can be left out (imago install --plans). This migration has changed nothing.';
  end if;
end
$$;
create schema avatars;
comment on schema avatars is 'Imago plan avatars: a user-centric profile system becomes avatar-centric.';
revoke all on schema avatars from public;
