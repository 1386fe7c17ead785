create or replace function avatars.counted_rows(relation text, name text, owner_column text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    ' cross join lateral (
        select count(*) as %1$s, count(b.id) as %1$s_with_avatar
        from %2$s t left join public.avatars b on b.id = t.avatar_id and b.owner_user_id = u.id where t.%3$I = u.id) %1$s_of_user',
    name, relation, owner_column)
$$;
comment on function avatars.counted_rows(text, text, text) is 'SQL: a join that counts the rows of user u in a relation, and those of them that carry an avatar of theirs.';
